"""A segment in the format of the Waymo Open Dataset v2: a car that turns in front of a wall."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SEGMENT = "10023947602400723454_1120_000_1140_000"
START_US = 1_550_000_000_000_000
FRAMES, PERIOD_US = 3, 100_000
WALL_X, SPEED, TURN = 40.0, 15.0, 0.3
ROWS, COLUMNS = 8, 90
BEAMS = np.array([-0.30, -0.22, -0.15, -0.10, -0.06, -0.03, 0.0, 0.04])
TOP_YAW = 2.1
SIZE = (48, 64)
INTRINSICS = {"f_u": 60.0, "f_v": 58.0, "c_u": 33.0, "c_v": 23.0}
DISTORTION = {"k1": 0.25, "k2": 0.1, "p1": 0.001, "p2": -0.002, "k3": 0.0}
CAMERA_TO_VEHICLE = np.array([[1.0, 0, 0, 1.5], [0, 1, 0, 0.1], [0, 0, 1, 2.1], [0, 0, 0, 1]])
TRIGGER_S, DONE_S, POSE_S = 0.040, 0.064, 0.045
BOX = np.array([30.0, 4.0, 0.9])


@dataclass
class Table:
    """Columns of a component with their Arrow types."""

    component: str
    columns: dict[str, tuple[Any, list[Any]]]


def upright(x: float, y: float, z: float, yaw: float) -> Array:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:3, 3] = x, y, z
    return pose


def vehicle_to_world(seconds: float) -> Array:
    """Pose on a circle, seconds after the start."""
    yaw, radius = 0.2 + TURN * seconds, SPEED / TURN
    x, y = radius * (np.sin(yaw) - np.sin(0.2)), radius * (np.cos(0.2) - np.cos(yaw))
    return upright(x, y, 0.3, yaw)


def laser_to_vehicle(yaw: float) -> Array:
    return upright(1.4, 0.0, 2.2, yaw)


def cast(headings: Array, inclinations: Array, poses: Array, laser: Array) -> Array:
    """Ranges [rows columns] to the wall, 0 beyond 75 m; headings are those of the columns in the vehicle frame."""
    flat = np.cos(inclinations)[:, None]
    up = np.broadcast_to(np.sin(inclinations)[:, None], (len(inclinations), len(headings)))
    directions = np.stack([flat * np.cos(headings), flat * np.sin(headings), up], axis=-1)
    origins = np.einsum("cij,j->ci", poses, laser[:, 3])[:, 0]
    along = np.einsum("cj,rcj->rc", poses[:, 0, :3], directions)
    ranges = (WALL_X - origins) / np.where(np.abs(along) < 1e-6, 1e-6, along)
    return np.where((ranges > 0) & (ranges < 75), ranges, 0.0)


def color(tangents: Array) -> Array:
    """What the camera sees in a direction (x/z, y/z) [n 2]: smooth colours [n 3] in 0..255."""
    x, y = tangents[:, 0], tangents[:, 1]
    return np.stack([128 + 210 * x, 128 + 260 * y, 128 + 110 * x - 120 * y], axis=-1)


def distorted_image() -> NDArray[np.uint8]:
    """The image of the lens: every raw pixel shows the direction that it is undistorted to."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] + 0.5
    raw = np.stack(
        [(columns - INTRINSICS["c_u"]) / INTRINSICS["f_u"], (rows - INTRINSICS["c_v"]) / INTRINSICS["f_v"]], -1
    )
    coefficients = np.array([DISTORTION[name] for name in ("k1", "k2", "p1", "p2", "k3")])
    straight = cv2.undistortPoints(raw.reshape(-1, 1, 2), np.eye(3), coefficients).reshape(-1, 2)
    return np.asarray(color(straight).round().clip(0, 255).reshape(*SIZE, 3).astype(np.uint8))


def tables(uniform: bool = False) -> dict[str, Table]:
    """All components of the segment; beams of TOP are evenly spaced if `uniform`."""
    import pyarrow as pa

    matrix, numbers, shape = pa.list_(pa.float64(), 16), pa.list_(pa.float32()), pa.list_(pa.int32(), 3)
    frames = [START_US + number * PERIOD_US for number in range(FRAMES)]
    segment = ("key.segment_context_name", pa.string())

    def table(component: str, rows: int, **columns: tuple[Any, list[Any]]) -> Table:
        named = {name.replace("__", "."): content for name, content in columns.items()}
        full = {name if name.startswith("key.") else f"[{component}].{name}": item for name, item in named.items()}
        return Table(component, {segment[0]: (segment[1], [SEGMENT] * rows), **full})

    vehicle = table(
        "VehiclePoseComponent",
        FRAMES,
        key__frame_timestamp_micros=(pa.int64(), frames),
        world_from_vehicle__transform=(
            matrix,
            [vehicle_to_world(0.05 + 0.1 * k).ravel().tolist() for k in range(FRAMES)],
        ),
    )
    cameras = [(frame, number) for frame in reversed(range(FRAMES)) for number in (2, 1)]
    jpeg = cv2.imencode(".jpg", distorted_image()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    velocity = [
        (SPEED * np.cos(0.2 + TURN * (0.1 * frame + POSE_S)), SPEED * np.sin(0.2 + TURN * (0.1 * frame + POSE_S)))
        for frame, _ in cameras
    ]
    zero = (pa.float64(), [0.0] * len(cameras))
    seconds = START_US * 1e-6
    image = table(
        "CameraImageComponent",
        len(cameras),
        key__frame_timestamp_micros=(pa.int64(), [frames[frame] for frame, _ in cameras]),
        key__camera_name=(pa.int8(), [number for _, number in cameras]),
        image=(pa.binary(), [jpeg for _ in cameras]),
        pose__transform=(matrix, [vehicle_to_world(0.1 * frame + POSE_S).ravel().tolist() for frame, _ in cameras]),
        velocity__linear_velocity__x=(pa.float32(), [item[0] for item in velocity]),
        velocity__linear_velocity__y=(pa.float32(), [item[1] for item in velocity]),
        velocity__linear_velocity__z=(pa.float32(), [0.0] * len(cameras)),
        velocity__angular_velocity__x=zero,
        velocity__angular_velocity__y=zero,
        velocity__angular_velocity__z=(pa.float64(), [TURN] * len(cameras)),
        pose_timestamp=(pa.float64(), [seconds + 0.1 * frame + POSE_S for frame, _ in cameras]),
        rolling_shutter_params__camera_trigger_time=(
            pa.float64(),
            [seconds + 0.1 * frame + TRIGGER_S for frame, _ in cameras],
        ),
        rolling_shutter_params__camera_readout_done_time=(
            pa.float64(),
            [seconds + 0.1 * frame + DONE_S for frame, _ in cameras],
        ),
    )
    side = upright(0.0, 0.0, 0.0, 0.8) @ CAMERA_TO_VEHICLE
    lens = {f"intrinsic__{name}": (pa.float64(), [value] * 2) for name, value in (INTRINSICS | DISTORTION).items()}
    calibration = table(
        "CameraCalibrationComponent",
        2,
        key__camera_name=(pa.int8(), [1, 2]),
        extrinsic__transform=(matrix, [CAMERA_TO_VEHICLE.ravel().tolist(), side.ravel().tolist()]),
        width=(pa.int32(), [SIZE[1]] * 2),
        height=(pa.int32(), [SIZE[0]] * 2),
        **lens,
    )
    lasers = [(frame, laser) for frame in range(FRAMES) for laser in (1, 2)]
    images, poses = zip(*(_scan(frame, laser, uniform) for frame, laser in lasers), strict=True)
    laser_keys = {
        "key__frame_timestamp_micros": (pa.int64(), [frames[frame] for frame, _ in lasers]),
        "key__laser_name": (pa.int8(), [laser for _, laser in lasers]),
    }
    lidar = table(
        "LiDARComponent",
        len(lasers),
        **laser_keys,
        range_image_return1__values=(numbers, [item.ravel().tolist() for item in images]),
        range_image_return1__shape=(shape, [list(item.shape) for item in images]),
    )
    top = [index for index, (_, laser) in enumerate(lasers) if laser == 1]
    pose = table(
        "LiDARPoseComponent",
        len(top),
        **{name: (kind, [values[index] for index in top]) for name, (kind, values) in laser_keys.items()},
        range_image_return1__values=(numbers, [poses[index].ravel().tolist() for index in top]),
        range_image_return1__shape=(shape, [list(poses[index].shape) for index in top]),
    )
    beams = table(
        "LiDARCalibrationComponent",
        2,
        key__laser_name=(pa.int8(), [1, 2]),
        extrinsic__transform=(matrix, [laser_to_vehicle(yaw).ravel().tolist() for yaw in (TOP_YAW, -0.4)]),
        beam_inclination__min=(pa.float64(), [-0.3, -0.2]),
        beam_inclination__max=(pa.float64(), [0.04, 0.2]),
        beam_inclination__values=(pa.list_(pa.float64()), [None if uniform else BEAMS.tolist(), None]),
    )
    return {
        "vehicle_pose": vehicle,
        "camera_image": image,
        "camera_calibration": calibration,
        "lidar": lidar,
        "lidar_pose": pose,
        "lidar_calibration": beams,
        "lidar_box": _boxes(pa, table, frames),
    }


def write(root: Path, content: dict[str, Table]) -> Path:
    """Writes the components, two rows a row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, table in content.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        arrays = {column: pa.array(values, type=kind) for column, (kind, values) in table.columns.items()}
        pq.write_table(pa.table(arrays), root / name / f"{SEGMENT}.parquet", row_group_size=2)
    return root


def column_seconds(frame: int) -> Array:
    return 0.1 * frame + 0.1 * (np.arange(COLUMNS) + 0.5) / COLUMNS


def _scan(frame: int, laser: int, uniform: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The range image [rows columns 4] and the poses of its pixels [rows columns 6]."""
    headings = np.pi - 2 * np.pi * (np.arange(COLUMNS) + 0.5) / COLUMNS
    moving = np.stack([vehicle_to_world(float(second)) for second in column_seconds(frame)])
    if laser == 1:
        ascending = -0.3 + 0.34 * (np.arange(ROWS) + 0.5) / ROWS if uniform else BEAMS
        ranges = cast(headings, ascending[::-1], moving, laser_to_vehicle(TOP_YAW))
    else:
        still = np.stack([vehicle_to_world(0.1 * frame + 0.05)] * COLUMNS)
        ascending = -0.2 + 0.4 * (np.arange(4) + 0.5) / 4
        ranges = cast(headings, ascending[::-1], still, laser_to_vehicle(-0.4))
    yaw = np.arctan2(moving[:, 1, 0], moving[:, 0, 0])
    zero = np.zeros(COLUMNS)
    pose = np.stack([zero, zero, yaw, moving[:, 0, 3], moving[:, 1, 3], moving[:, 2, 3]], axis=-1)
    image = np.stack([ranges, ranges * 0 + 0.5, ranges * 0, ranges * 0 - 1], axis=-1)
    return image.astype(np.float32), np.broadcast_to(pose, (ROWS, COLUMNS, 6)).astype(np.float32)


def _boxes(pa: Any, table: Any, frames: list[int]) -> Table:
    """A box that stands in the world, and a pedestrian who walks along y at 1 m/s and is seen in two frames."""
    rows = []
    for frame, (name, kind) in [(frame, item) for frame in range(FRAMES) for item in (("box", 1), ("walker", 2))]:
        place = BOX if name == "box" else np.array([20.0, 0.1 * frame, 0.9])
        if name == "walker" and frame == 2:
            continue
        inside = np.linalg.inv(vehicle_to_world(0.05 + 0.1 * frame)) @ upright(
            float(place[0]), float(place[1]), float(place[2]), 0.7
        )
        heading = np.arctan2(inside[1, 0], inside[0, 0])
        rows.append((frames[frame], name, kind, *inside[:3, 3], 4.5, 1.9, 1.6, heading))
    columns = list(zip(*rows, strict=True))
    names = ["box__center__x", "box__center__y", "box__center__z", "box__size__x", "box__size__y", "box__size__z"]
    numbers = zip([*names, "box__heading"], columns[3:], strict=True)
    content: Table = table(
        "LiDARBoxComponent",
        len(rows),
        key__frame_timestamp_micros=(pa.int64(), list(columns[0])),
        key__laser_object_id=(pa.string(), list(columns[1])),
        type=(pa.int8(), list(columns[2])),
        **{name: (pa.float64(), list(values)) for name, values in numbers},
    )
    return content
