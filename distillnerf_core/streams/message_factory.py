"""Builds the ROS messages that this project writes, as plain dataclasses of the `rosbags` type store."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from distillnerf_core.geometry.transforms import quaternion_from_matrix
from distillnerf_core.streams.message_fields import split_stamp
from distillnerf_core.streams.stamped_transform import StampedTransform

_POINT_FIELD_TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


class MessageFactory:
    """Messages of ROS 2 Jazzy and of packages registered from their definitions."""

    def __init__(self) -> None:
        self.typestore = get_typestore(Stores.ROS2_JAZZY)

    def register(self, message_type: str, definition: str) -> None:
        """Adds a message type, such as "distillnerf_ros/msg/FrameStatus", from the text of its .msg file."""
        self.typestore.register(get_types_from_msg(definition, message_type))

    def create(self, message_type: str, **fields: Any) -> Any:
        """Creates a message, such as "std_msgs/msg/Header", from its fields."""
        return self.typestore.types[message_type](**fields)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """Creates a `std_msgs/Header`."""
        sec, nanosec = split_stamp(stamp_ns)
        time = self.create("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self.create("std_msgs/msg/Header", stamp=time, frame_id=frame_id)

    def compressed_image(self, stamp_ns: int, frame_id: str, data: bytes, image_format: str) -> Any:
        """Creates a `sensor_msgs/CompressedImage` from the bytes of a JPEG or PNG file."""
        return self.create(
            "sensor_msgs/msg/CompressedImage",
            header=self.header(stamp_ns, frame_id),
            format=image_format,
            data=np.frombuffer(data, dtype=np.uint8),
        )

    def image(self, stamp_ns: int, frame_id: str, pixels: NDArray[Any], encoding: str) -> Any:
        """Creates a `sensor_msgs/Image` from pixels [height width] or [height width channels]."""
        rows = np.ascontiguousarray(pixels)
        return self.create(
            "sensor_msgs/msg/Image",
            header=self.header(stamp_ns, frame_id),
            height=rows.shape[0],
            width=rows.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=rows.nbytes // rows.shape[0],
            data=rows.view(np.uint8).reshape(-1),
        )

    def camera_info(
        self,
        stamp_ns: int,
        frame_id: str,
        size: tuple[int, int],
        intrinsics: NDArray[np.float64],
        *,
        distortion: Sequence[float] = (),
        distortion_model: str = "plumb_bob",
    ) -> Any:
        """Creates a `sensor_msgs/CameraInfo`; R is the identity and P repeats K.

        Args:
            stamp_ns: Time of the image it belongs to.
            frame_id: Optical frame of the camera.
            size: (height, width) in pixels.
            intrinsics: Pinhole matrix [3 3] in pixels of that size.
            distortion: Coefficients of the model; empty for a rectified image.
            distortion_model: Name of the distortion model.
        """
        coefficients = distortion if len(distortion) else (0.0,) * 5
        return self.create(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(stamp_ns, frame_id),
            height=size[0],
            width=size[1],
            distortion_model=distortion_model,
            d=np.array(coefficients, dtype=np.float64),
            k=np.asarray(intrinsics, dtype=np.float64).reshape(9),
            r=np.eye(3).reshape(9),
            p=np.concatenate([intrinsics, np.zeros((3, 1))], axis=1).reshape(12),
            binning_x=0,
            binning_y=0,
            roi=self._whole_image(),
        )

    def _whole_image(self) -> Any:
        kind = "sensor_msgs/msg/RegionOfInterest"
        return self.create(kind, x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)

    def transforms(self, transforms: Sequence[StampedTransform]) -> Any:
        """Creates a `tf2_msgs/TFMessage`."""
        return self.create("tf2_msgs/msg/TFMessage", transforms=[self._transform(item) for item in transforms])

    def _transform(self, item: StampedTransform) -> Any:
        x, y, z, w = (float(value) for value in quaternion_from_matrix(item.matrix[:3, :3]))
        moved = [float(value) for value in item.matrix[:3, 3]]
        return self.create(
            "geometry_msgs/msg/TransformStamped",
            header=self.header(item.stamp_ns, item.parent),
            child_frame_id=item.child,
            transform=self.create(
                "geometry_msgs/msg/Transform",
                translation=self.create("geometry_msgs/msg/Vector3", x=moved[0], y=moved[1], z=moved[2]),
                rotation=self.create("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
            ),
        )

    def point_cloud(self, stamp_ns: int, frame_id: str, points: NDArray[Any]) -> Any:
        """Creates a `sensor_msgs/PointCloud2` from a flat structured array: one scalar for each field."""
        types = points.dtype
        fields = [
            self.create(
                "sensor_msgs/msg/PointField",
                name=name,
                offset=types.fields[name][1],  # type: ignore[index]
                datatype=_POINT_FIELD_TYPES[types[name].str[1:]],
                count=1,
            )
            for name in types.names or ()
        ]
        return self.create(
            "sensor_msgs/msg/PointCloud2",
            header=self.header(stamp_ns, frame_id),
            height=1,
            width=len(points),
            fields=fields,
            is_bigendian=False,
            point_step=types.itemsize,
            row_step=types.itemsize * len(points),
            data=np.frombuffer(points.tobytes(), dtype=np.uint8),
            is_dense=True,
        )
