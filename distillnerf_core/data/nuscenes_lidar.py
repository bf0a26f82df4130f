"""Revolutions of the LiDAR of nuScenes: when and from where each point was measured.

The files hold x, y, z, intensity and ring as float32, in the frame of the sensor (x right, y forward, z up) at the
stamp, which is the end of the revolution. A recorded file has all shots in the order of time, one column of beams after
the other, also those without a return, and its motion has been taken out: in scene-0061 the shots without a return lie
where the sensor was (to 3 % of the way), and putting the motion back makes the elevations of a beam agree to 0.02
degrees, not 0.7.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import DriveScan, FloatArray
from distillnerf_core.data.pose_track import PoseTrack
from distillnerf_core.errors import DataError

PointTimes = Literal["auto", "azimuth", "stamp"]
_POINT_FLOATS = 5
_LARGEST_FILE = 2**27
_MOST_BEAMS = 1024
_NEAR_SEAM = 0.25
_DISTANT_M = 3.0


class LidarConfig(Config):
    """How revolutions are read.

    Attributes:
        point_times: "auto" takes the time of a point from its column, where the file has all columns in their order,
            else from its azimuth; "azimuth" always does the latter; "stamp" gives all points that of the revolution.
        motion_compensated: Whether the points are in the frame of the sensor at the stamp, as those of nuScenes are;
            else each is in the frame at its own time.
        rotation_s: Duration of a revolution.
        closest_m: Nearer points are removed, and so are shots without a return.
        own_vehicle_m: Points within this rectangle x_min, x_max, y_min, y_max of the ego frame are removed.
    """

    point_times: PointTimes = "auto"
    motion_compensated: bool = True
    rotation_s: float = pydantic.Field(default=0.05, gt=0, le=1)
    closest_m: float = pydantic.Field(default=1.5, ge=0)
    own_vehicle_m: tuple[float, float, float, float] = (-1.0, 3.5, -1.0, 1.0)


def read_revolution(
    path: Path, stamp_ns: int, lidar_to_ego: FloatArray, ego_to_world: PoseTrack, config: LidarConfig
) -> DriveScan:
    """Reads a revolution and places every point and its origin in the world.

    Args:
        path: Its .pcd.bin.
        stamp_ns: The end of the revolution.
        lidar_to_ego: Mounting pose [4 4], metres.
        ego_to_world: Poses of the vehicle.
        config: How it is read.

    Raises:
        DataError: If the file is missing or damaged.
    """
    values = _read(path)
    points, rings = values[:, :3].astype(np.float64), _rings(values[:, 4])
    earlier_ns = np.rint((1.0 - _fractions(points, rings, config.point_times)) * config.rotation_s * 1e9)
    stamps = stamp_ns - earlier_ns.astype(np.int64)
    moments, which = np.unique(stamps, return_inverse=True)
    poses = ego_to_world.at(moments) @ lidar_to_ego
    origins = poses[which, :3, 3]
    if config.motion_compensated:
        end = ego_to_world.at_one(stamp_ns) @ lidar_to_ego
        placed = points @ end[:3, :3].T + end[:3, 3]
    else:
        placed = np.einsum("nij,nj->ni", poses[which, :3, :3], points) + origins
    kept = np.linalg.norm(placed - origins, axis=1) >= config.closest_m
    kept &= ~_inside(points @ lidar_to_ego[:3, :3].T + lidar_to_ego[:3, 3], config.own_vehicle_m)
    return DriveScan(stamp_ns, placed[kept], origins[kept], stamps[kept], rings[kept])


def _read(path: Path) -> NDArray[np.float32]:
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE or size % (4 * _POINT_FLOATS):
            raise DataError(f"{path}: expected five float32 a point (x y z intensity ring), got {size} bytes")
        values = np.fromfile(path, dtype="<f4")
    except OSError as err:
        raise DataError(f"cannot read {path}: {err}") from err
    points = values.reshape(-1, _POINT_FLOATS)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _rings(values: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.where((values >= 0) & (values < _MOST_BEAMS), values.round(), -1).astype(np.int16)


def _fractions(points: FloatArray, rings: NDArray[np.int16], times: PointTimes) -> FloatArray:
    """Returns how much of the revolution had passed [n] at each point, 0 for the first column and 1 for the last."""
    if times == "stamp" or not len(points):
        return np.ones(len(points))
    beams = int(rings.max()) + 1
    columns = len(rings) // max(beams, 1)
    if times == "auto" and columns > 1 and np.array_equal(rings, np.tile(np.arange(beams), columns)):
        return np.arange(len(rings)) // beams / (columns - 1)
    return _azimuth_fractions(points)


def _azimuth_fractions(points: FloatArray) -> FloatArray:
    """The same from azimuths, which fall as the sensor turns clockwise, from that of the first distant point on."""
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    first = int(np.argmax(np.linalg.norm(points, axis=1) > _DISTANT_M))
    turned = np.mod(azimuth[first] - azimuth, 2 * np.pi) / (2 * np.pi)
    # Around the first azimuth only the order in the file tells the begin of the revolution from its end.
    order = np.linspace(0.0, 1.0, len(points))
    turned[(turned > 1 - _NEAR_SEAM) & (order < _NEAR_SEAM)] = 0.0
    turned[(turned < _NEAR_SEAM) & (order > 1 - _NEAR_SEAM)] = 1.0
    return np.asarray(turned)


def _inside(points: FloatArray, rectangle: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    x_min, x_max, y_min, y_max = rectangle
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x > x_min) & (x < x_max) & (y > y_min) & (y < y_max))
