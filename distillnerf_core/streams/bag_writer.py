"""Writes rosbag2 recordings (MCAP or sqlite3) without ROS, whole or not at all."""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError

from distillnerf_core.errors import BagError
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.stamped_transform import StampedTransform

Storage = Literal["mcap", "sqlite3"]
_PLUGINS = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    100,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(2147483647, 4294967295),
    QosTime(2147483647, 4294967295),
    QosLiveliness.AUTOMATIC,
    QosTime(2147483647, 4294967295),
    False,
)


class BagWriter:
    """Context manager that writes one recording.

    A path that ends in .mcap or .db3 becomes a single file, any other a rosbag2 folder with metadata.yaml.
    Everything is written beside the target under a hidden name and moved there at the end, so a failed run
    leaves nothing.

    Args:
        path: Target file or folder.
        storage: Storage of a folder; a single file's name decides for itself.
        overwrite: Replace an existing recording instead of refusing.
        compress: Compress MCAP chunks with zstd (images are compressed already; point clouds gain).
    """

    def __init__(
        self, path: Path | str, storage: Storage = "mcap", overwrite: bool = False, compress: bool = False
    ) -> None:
        self.path = Path(path)
        self.messages = MessageFactory()
        self._storage: Storage = {".mcap": "mcap", ".db3": "sqlite3"}.get(self.path.suffix, storage)  # type: ignore[assignment]
        self._single_file = self.path.suffix in (".mcap", ".db3")
        self._overwrite = overwrite
        self._compress = compress
        self._connections: dict[tuple[str, str], Any] = {}
        self._writer: Writer | None = None
        self._partial = Path()

    def __enter__(self) -> "BagWriter":
        if self.path.exists() and not self._overwrite:
            raise BagError(f"{self.path} exists already; choose another name or ask to overwrite it")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
            self._writer = Writer(self._partial / self.path.stem, version=9, storage_plugin=_PLUGINS[self._storage])
            if self._compress and self._storage == "mcap":
                self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except (OSError, sqlite3.Error, WriterError) as err:
            self._discard()
            raise self._failure(err) from err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        try:
            if error is not None:
                self._writer.abort()
                return
            self._writer.close()
            self._publish()
        except (OSError, sqlite3.Error, WriterError) as err:
            raise self._failure(err) from err
        finally:
            self._writer = None
            self._discard()

    def write(self, topic: str, message_type: str, message: Any, log_ns: int) -> None:
        """Writes a message made by `self.messages`.

        Args:
            topic: Topic name.
            message_type: Such as "sensor_msgs/msg/Image".
            message: Message of that type.
            log_ns: Receive time that the bag is played by.

        Raises:
            BagError: If the message does not fit its type, or the disk is full.
        """
        try:
            raw = self.messages.typestore.serialize_cdr(message, message_type)
        except Exception as err:  # rosbags' generated code raises whatever a wrong field happens to raise
            raise BagError(f"{self.path}: message on {topic} is no {message_type}: {err!r}") from err
        self.write_serialised(topic, message_type, bytes(raw), log_ns)

    def write_serialised(self, topic: str, message_type: str, cdr: bytes, log_ns: int) -> None:
        """Writes a message that is CDR already, such as one from `rclpy.serialization.serialize_message`."""
        if self._writer is None:
            raise BagError(f"{self.path}: the bag is not open; use it as `with BagWriter(path) as bag:`")
        try:
            self._writer.write(self._connection(topic, message_type), log_ns, cdr)
        except (OSError, sqlite3.Error, WriterError) as err:
            raise self._failure(err) from err

    def write_compressed_image(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        data: bytes,
        *,
        image_format: str = "jpeg",
        log_ns: int | None = None,
    ) -> None:
        """Writes the bytes of a JPEG or PNG file as `sensor_msgs/CompressedImage`."""
        message = self.messages.compressed_image(stamp_ns, frame_id, data, image_format)
        self.write(topic, "sensor_msgs/msg/CompressedImage", message, stamp_ns if log_ns is None else log_ns)

    def write_image(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        pixels: NDArray[Any],
        encoding: str,
        *,
        log_ns: int | None = None,
    ) -> None:
        """Writes pixels [height width (channels)] as `sensor_msgs/Image`."""
        message = self.messages.image(stamp_ns, frame_id, pixels, encoding)
        self.write(topic, "sensor_msgs/msg/Image", message, stamp_ns if log_ns is None else log_ns)

    def write_camera_info(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        size: tuple[int, int],
        intrinsics: NDArray[np.float64],
        *,
        log_ns: int | None = None,
    ) -> None:
        """Writes the `sensor_msgs/CameraInfo` of a rectified image of (height, width)."""
        message = self.messages.camera_info(stamp_ns, frame_id, size, intrinsics)
        self.write(topic, "sensor_msgs/msg/CameraInfo", message, stamp_ns if log_ns is None else log_ns)

    def write_tf(self, transforms: Sequence[StampedTransform], log_ns: int, static: bool = False) -> None:
        """Writes transforms to /tf, or to /tf_static with the latched durability that players need."""
        message = self.messages.transforms(transforms)
        self.write("/tf_static" if static else "/tf", "tf2_msgs/msg/TFMessage", message, log_ns)

    def write_point_cloud(
        self, topic: str, stamp_ns: int, frame_id: str, points: NDArray[Any], log_ns: int | None = None
    ) -> None:
        """Writes a flat structured array (fields x, y, z, ...) as `sensor_msgs/PointCloud2`."""
        message = self.messages.point_cloud(stamp_ns, frame_id, points)
        self.write(topic, "sensor_msgs/msg/PointCloud2", message, stamp_ns if log_ns is None else log_ns)

    def _connection(self, topic: str, message_type: str) -> Any:
        key = (topic, message_type)
        if key not in self._connections:
            assert self._writer is not None
            self._connections[key] = self._writer.add_connection(
                topic,
                message_type,
                typestore=self.messages.typestore,
                offered_qos_profiles=[_LATCHED] if topic.endswith("tf_static") else [],
            )
        return self._connections[key]

    def _publish(self) -> None:
        folder = self._partial / self.path.stem
        finished = next(folder.glob(f"*{self.path.suffix}")) if self._single_file else folder
        if self.path.is_dir():
            shutil.rmtree(self.path)
        finished.replace(self.path)

    def _discard(self) -> None:
        if self._partial != Path():
            shutil.rmtree(self._partial, ignore_errors=True)

    def _failure(self, err: Exception) -> BagError:
        return BagError(f"cannot write bag {self.path}: {err}; check free space and permissions")
