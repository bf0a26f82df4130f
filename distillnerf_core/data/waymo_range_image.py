"""Range images of the Waymo Open Dataset to points.

A range image [rows columns 4] is a revolution in spherical coordinates: range in metres, intensity, elongation, whether
the point is in a zone without labels. Conventions as in `waymo_open_dataset/v2/perception/lidar.py`,
`v2/perception/context.py` (BeamInclination) and `utils/range_image_utils.py`, and in Sun et al., "Scalability in
Perception for Autonomous Driving: Waymo Open Dataset" (CVPR 2020), section 3.2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from distillnerf_core.errors import DataError

FloatArray = NDArray[np.float64]
MAX_PIXELS = 10_000_000
"""Most pixels of a range image; those of the data set have 170,000."""


@dataclass(frozen=True)
class LaserCalibration:
    """Mounting and beams of a laser.

    Attributes:
        laser_to_vehicle: Pose [4 4], metres.
        inclination_range: Lowest and highest inclination, radians, the outer borders of the rows.
        inclinations: Inclination of each beam, ascending, radians; None where the rows are evenly spaced.
    """

    laser_to_vehicle: FloatArray
    inclination_range: tuple[float, float]
    inclinations: FloatArray | None

    def row_inclinations(self, rows: int) -> FloatArray:
        """Returns the inclination [rows] of each row of a range image, radians; the first row is the highest.

        Raises:
            DataError: If there are not as many beams as rows.
        """
        if self.inclinations is None:
            low, high = self.inclination_range
            return low + (high - low) * (np.arange(rows)[::-1] + 0.5) / rows
        if len(self.inclinations) != rows:
            raise DataError(f"a range image of {rows} rows of a laser with {len(self.inclinations)} beams")
        return self.inclinations[::-1]

    def column_azimuths(self, columns: int) -> FloatArray:
        """Returns the azimuth [columns] of each column in the frame of the laser, radians, counter-clockwise.

        Columns run clockwise, and the middle of the image is ahead of the vehicle: the yaw of the laser is taken off.
        """
        yaw = np.arctan2(self.laser_to_vehicle[1, 0], self.laser_to_vehicle[0, 0])
        return np.asarray(np.pi * (1.0 - 2.0 * (np.arange(columns) + 0.5) / columns) - yaw)


@dataclass(frozen=True)
class LaserReturns:
    """The pixels of a range image that have a return.

    Attributes:
        points_m: Points [n 3] in the vehicle frame at the pixel's own time, metres.
        rows: Row [n] of each.
        columns: Column [n] of each.
    """

    points_m: FloatArray
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def reshape_image(values: object, shape: object, channels: int, where: str) -> NDArray[np.float32]:
    """Returns a flat range image as [rows columns channels].

    Raises:
        DataError: Naming the place, if the shape is not that of the numbers, or larger than any range image.
    """
    flat = np.asarray([] if values is None else values, dtype=np.float32)
    sizes = [] if shape is None else [int(size) for size in np.asarray(shape).reshape(-1)[:4]]
    good = len(sizes) == 3 and min(sizes) > 0 and sizes[2] == channels and sizes[0] * sizes[1] <= MAX_PIXELS
    if not good or flat.size != sizes[0] * sizes[1] * channels:
        raise DataError(f"{where}: {flat.size} numbers are no range image [rows columns {channels}] of shape {sizes}")
    return flat.reshape(sizes)


def laser_returns(range_m: NDArray[np.float32], calibration: LaserCalibration) -> LaserReturns:
    """Places the returns of a range image in the vehicle frame.

    A point of range r at inclination i and azimuth a is r (cos a cos i, sin a cos i, sin i) in the frame of the laser.

    Args:
        range_m: Ranges [rows columns], metres; not positive where there is no return.
        calibration: Of the laser.

    Raises:
        DataError: If the image has another number of rows than the laser has beams.
    """
    rows, columns = np.nonzero(np.isfinite(range_m) & (range_m > 0))
    inclination = calibration.row_inclinations(range_m.shape[0])[rows]
    azimuth = calibration.column_azimuths(range_m.shape[1])[columns]
    flat = np.cos(inclination)
    directions = np.stack([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(inclination)], axis=-1)
    local = directions * range_m[rows, columns].astype(np.float64)[:, None]
    pose = calibration.laser_to_vehicle
    return LaserReturns(local @ pose[:3, :3].T + pose[:3, 3], rows, columns)


def move_by_pixel_poses(
    points_m: FloatArray, origin_m: FloatArray, poses: NDArray[np.float32]
) -> tuple[FloatArray, FloatArray]:
    """Moves points from the vehicle frame to the world with the vehicle's pose at each one's time.

    Args:
        points_m: Points [n 3] in the vehicle frame, metres.
        origin_m: Place [3] of the laser in the vehicle frame.
        poses: Roll, pitch, yaw (radians; the rotation is Rz(yaw) Ry(pitch) Rx(roll)), x, y, z (metres) [n 6].

    Returns:
        The points [n 3] and the places [n 3] of the laser, world frame, metres.
    """
    if not len(points_m):
        return np.zeros((0, 3)), np.zeros((0, 3))
    turned = Rotation.from_euler("ZYX", poses[:, [2, 1, 0]].astype(np.float64))
    moved = poses[:, 3:].astype(np.float64)
    return np.asarray(turned.apply(points_m) + moved), np.asarray(turned.apply(origin_m) + moved)
