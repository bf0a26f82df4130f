"""Foxglove's protobuf messages, decoded to dictionaries, as ROS messages."""

from typing import Any

import numpy as np

from distillnerf_core.geometry.transforms import rigid_from_quaternion
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.stamped_transform import StampedTransform

_POINT_TYPES = {1: "<u1", 2: "<i1", 3: "<u2", 4: "<i2", 5: "<u4", 6: "<i4", 7: "<f4", 8: "<f8"}
_IDENTITY = np.eye(3).reshape(9)


def stamp_of(values: dict[str, Any]) -> int:
    """Returns the `timestamp` field in nanoseconds."""
    time = values.get("timestamp", {})
    return int(time.get("seconds", 0)) * NANOSECONDS + int(time.get("nanos", 0))


def compressed_image(factory: MessageFactory, values: dict[str, Any]) -> Any:
    """Converts foxglove.CompressedImage to `sensor_msgs/CompressedImage`."""
    frame, kind = values.get("frame_id", ""), values.get("format", "jpeg")
    return factory.compressed_image(stamp_of(values), frame, values.get("data", b""), kind)


def camera_info(factory: MessageFactory, values: dict[str, Any]) -> Any:
    """Converts foxglove.CameraCalibration to `sensor_msgs/CameraInfo`; a singular R becomes the identity."""
    intrinsics = _numbers(values, "K", 9).reshape(3, 3)
    size = (int(values.get("height", 0)), int(values.get("width", 0)))
    message = factory.camera_info(
        stamp_of(values),
        values.get("frame_id", ""),
        size,
        intrinsics,
        distortion=tuple(values.get("D", ())),
        distortion_model=values.get("distortion_model", "") or "plumb_bob",
    )
    rotation = _numbers(values, "R", 9)
    proper = np.allclose(rotation.reshape(3, 3) @ rotation.reshape(3, 3).T, np.eye(3), atol=1e-3)
    message.r = rotation if proper else _IDENTITY
    projection = _numbers(values, "P", 12)
    if projection[0] > 0:
        message.p = projection
    return message


def transforms(values: dict[str, Any]) -> list[StampedTransform]:
    """Converts foxglove.FrameTransform, of either version, or FrameTransforms."""
    if "transforms" in values:
        return [item for entry in values["transforms"] for item in transforms(entry)]
    parts = values.get("transform", values)
    moved, turned = parts.get("translation", {}), parts.get("rotation", {})
    translation = np.array([moved.get(axis, 0.0) for axis in "xyz"], dtype=np.float64)
    quaternion = np.array([turned.get(axis, 0.0) for axis in "xyzw"], dtype=np.float64)
    if not quaternion.any():
        quaternion[3] = 1.0
    matrix = rigid_from_quaternion(translation, quaternion)
    return [
        StampedTransform(values.get("parent_frame_id", ""), values.get("child_frame_id", ""), stamp_of(values), matrix)
    ]


def point_cloud(factory: MessageFactory, values: dict[str, Any]) -> Any:
    """Converts foxglove.PointCloud to `sensor_msgs/PointCloud2`."""
    fields = values.get("fields", [])
    layout = np.dtype(
        {
            "names": [field["name"] for field in fields],
            "formats": [_POINT_TYPES[field.get("type", 0)] for field in fields],
            "offsets": [field.get("offset", 0) for field in fields],
            "itemsize": int(values.get("point_stride", 0)),
        }
    )
    points = np.frombuffer(values.get("data", b""), dtype=layout)
    return factory.point_cloud(stamp_of(values), values.get("frame_id", ""), points)


def _numbers(values: dict[str, Any], name: str, count: int) -> Any:
    numbers = np.array(values.get(name, ()), dtype=np.float64)
    return numbers if len(numbers) == count else np.zeros(count)
