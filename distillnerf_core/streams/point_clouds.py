"""`sensor_msgs/PointCloud2` of a LiDAR to arrays: places, times and beams of its points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DataError
from distillnerf_core.streams.message_fields import byte_view, short_frame_id, stamp_ns
from distillnerf_core.streams.point_times import TIME_FIELDS, point_stamps

FloatArray = NDArray[np.float64]
PointTimes = Literal["auto", "off"]
CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"
MAX_POINTS = 10_000_000
"""Most points of one message; the largest LiDARs give a third of a million."""
MAX_RANGE_M = 10_000.0
"""Longest coordinate; beyond, a number is no measurement."""
_MOST_FIELDS, _MOST_STEP = 100, 65_536
_RING_FIELDS = ("ring", "line", "channel")
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}


@dataclass(frozen=True)
class PointCloud:
    """Points of one message in the frame of their sensor.

    Attributes:
        frame: Frame of the sensor.
        stamp_ns: Stamp of the message.
        points_m: Places [n 3], metres.
        stamps_ns: Time [n] of each point; that of the message where the points have none.
        rings: Beam [n] of each point as the driver counts them; -1 where it does not.
    """

    frame: str
    stamp_ns: int
    points_m: FloatArray
    stamps_ns: NDArray[np.int64]
    rings: NDArray[np.int16]


def read_point_cloud(message: Any, source: str, point_times: PointTimes = "auto") -> PointCloud:
    """Reads x, y, z (float32 or float64), and time and beam of each point where there are such fields.

    Points that are not finite, lie in the sensor itself (as drivers write for "no echo") or farther than `MAX_RANGE_M`
    are left out. Other fields and any padding are passed over.

    Args:
        message: `sensor_msgs/PointCloud2`, live or from a bag; of any byte order, point_step and row_step.
        source: Topic, for error messages.
        point_times: "off": all points have the stamp of the message.

    Raises:
        DataError: Naming the topic, where sizes contradict each other, a field is missing, or times cannot be.
    """
    records = _records(message, source)
    with np.errstate(invalid="ignore", over="ignore"):
        points = np.stack([records[axis].astype(np.float64) for axis in "xyz"], axis=-1)
        measured = (np.abs(points) <= MAX_RANGE_M).all(axis=1) & points.any(axis=1)
    records, points = records[measured], points[measured]
    stamp = stamp_ns(message.header)
    names = records.dtype.names or ()
    time = next((name for name in TIME_FIELDS if name in names), None)
    stamps = np.full(len(points), stamp, dtype=np.int64)
    if time is not None and point_times == "auto":
        stamps = point_stamps(records[time], stamp, f"{source}, field {time}")
    return PointCloud(short_frame_id(message.header), stamp, points, stamps, _rings(records, source))


def lidar_topic(topic_types: dict[str, str], wanted: str = "auto") -> str:
    """Chooses the topic of the LiDAR among those of a recording.

    Args:
        topic_types: Message type of each topic.
        wanted: A topic, "" for none; "auto": the only point cloud, of several the only one whose name says lidar, of
            several of these the only one whose name says top.

    Returns:
        The topic, "" where the recording has no point clouds.

    Raises:
        DataError: If it is not there or not clear which one is meant; lists the point clouds.
    """
    clouds = sorted(topic for topic, kind in topic_types.items() if kind == CLOUD_TYPE)
    if wanted == "" or (wanted == "auto" and not clouds):
        return ""
    found = clouds
    for word in ("lidar", "top") if wanted == "auto" else ():
        if len(found) > 1:
            found = [topic for topic in found if word in topic.lower()] or found
    if wanted != "auto":
        found = [topic for topic in clouds if topic == wanted]
    if len(found) != 1:
        what = "several point clouds" if wanted == "auto" else f"no {CLOUD_TYPE} on {wanted}"
        raise DataError(f"{what}: {', '.join(clouds[:20]) or 'none there'}; set lidar_topic to one of them")
    return found[0]


def _records(message: Any, source: str) -> NDArray[Any]:
    """Views the wanted fields of all points [n] of a message without copying them."""
    height, width, step, row_step = (
        int(value) for value in (message.height, message.width, message.point_step, message.row_step)
    )
    data = byte_view(message.data)
    if height * width == 0:
        height = width = 0
    elif height == 1:
        row_step = width * step
    if height * width > MAX_POINTS:
        raise DataError(f"{source}: a cloud of {width}x{height} points is above the limit of {MAX_POINTS}")
    needed = (height - 1) * row_step + width * step if height else 0
    if row_step < width * step or needed > len(data):
        raise DataError(
            f"{source}: {width}x{height} points of {step} bytes in rows of {row_step} bytes need {needed} bytes, but "
            f"there are {len(data)}; check the driver"
        )
    layout = _layout(message.fields, step, bool(message.is_bigendian), source)
    view = np.ndarray((height, width), layout, buffer=data, strides=(row_step, step)) if height else None
    return np.zeros(0, dtype=layout) if view is None else view.reshape(-1)


def _layout(fields: Sequence[Any], step: int, big_endian: bool, source: str) -> np.dtype[Any]:
    if len(fields) > _MOST_FIELDS or step > _MOST_STEP:
        raise DataError(f"{source}: a cloud with {len(fields)} fields, {step} bytes a point; check the driver")
    names, formats, offsets = [], [], []
    for field in fields:
        name, kind, offset = str(field.name), _TYPES.get(int(field.datatype)), int(field.offset)
        if name in names or name not in ("x", "y", "z", *TIME_FIELDS, *_RING_FIELDS):
            continue
        if kind is None or int(field.count) > 1 or offset + int(kind[1]) > step:
            raise DataError(
                f"{source}: field {name} of type {int(field.datatype)}, {int(field.count)} numbers at byte {offset}, "
                f"does not fit a point of {step} bytes; check the driver"
            )
        names.append(name)
        formats.append((">" if big_endian else "<") + kind)
        offsets.append(offset)
    places = {name: kind[1:] for name, kind in zip(names, formats, strict=True) if name in "xyz"}
    if sorted(places) != ["x", "y", "z"] or not set(places.values()) <= {"f4", "f8"}:
        raise DataError(f"{source}: a LiDAR's cloud has fields x, y and z of type float32 or float64, not {places}")
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": step})


def _rings(records: NDArray[Any], source: str) -> NDArray[np.int16]:
    name = next((name for name in _RING_FIELDS if name in (records.dtype.names or ())), None)
    if name is None or records[name].dtype.kind not in "iu":
        return np.full(len(records), -1, dtype=np.int16)
    values = records[name]
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < 2**15:
        raise DataError(f"{source}: field {name} does not hold numbers of beams; check the driver")
    return np.asarray(values.astype(np.int16))
