"""What a recording holds for training, gathered in one pass: poses whole, images and scans as places in the file."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distillnerf_core.errors import DataError, TransformError
from distillnerf_core.streams.bag_reader import BagMessage, BagReader
from distillnerf_core.streams.calibration_book import calibration_content
from distillnerf_core.streams.layouts import IMAGE_TYPES, Layout, require_layout
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.point_clouds import CLOUD_TYPE, PointTimes, lidar_topic, read_point_cloud
from distillnerf_core.streams.stamped_transform import StampedTransform, transform_from_odometry
from distillnerf_core.streams.stream_config import StreamConfig
from distillnerf_core.streams.transform_buffer import TransformBuffer

logger = logging.getLogger(__name__)

ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
_TRANSFORM_TYPE, _INFO_TYPE = "tf2_msgs/msg/TFMessage", "sensor_msgs/msg/CameraInfo"
_TRANSFORM_TOPICS = ("/tf", "/tf_static")
_MOST_PROBLEMS = 1000


@dataclass(frozen=True)
class MessagePlace:
    """Where a message lies in a recording.

    Attributes:
        topic: Topic name.
        log_ns: Receive time.
        stamp_ns: Stamp in its header.
    """

    topic: str
    log_ns: int
    stamp_ns: int


@dataclass(frozen=True)
class RecordedImage:
    """An image message without its pixels, for the synchroniser.

    Attributes:
        place: Where it lies.
        header: Its header.
    """

    place: MessagePlace
    header: Any


@dataclass(frozen=True)
class CameraEvent:
    """An image, or a CameraInfo unlike the one before, as it was received.

    Attributes:
        camera: Name of the camera.
        log_ns: Receive time.
        image: The image; None for a CameraInfo.
        info: The CameraInfo; None for an image.
    """

    camera: str
    log_ns: int
    image: RecordedImage | None
    info: Any


@dataclass(frozen=True)
class RecordedScan:
    """A LiDAR message without its points.

    Attributes:
        place: Where it lies.
        frame: Frame of its points.
        first_ns: Time of its first point.
        last_ns: Time of its last point.
    """

    place: MessagePlace
    frame: str
    first_ns: int
    last_ns: int


@dataclass
class BagIndex:
    """What was found.

    Attributes:
        layout: The cameras.
        transforms: All of /tf and /tf_static.
        events: Images and calibrations in the order of their receive times.
        scans: LiDAR messages in the same order.
        odometry: Poses by topic.
        problems: What could not be used, in words, at most a thousand.
    """

    layout: Layout
    transforms: TransformBuffer
    events: list[CameraEvent] = field(default_factory=list)
    scans: list[RecordedScan] = field(default_factory=list)
    odometry: dict[str, list[StampedTransform]] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)

    def note(self, problem: str) -> None:
        """Keeps a problem, each once."""
        if problem not in self.problems and len(self.problems) < _MOST_PROBLEMS:
            logger.warning("%s", problem)
            self.problems[problem] = None


def index_bag(
    path: Path, config: StreamConfig, lidar: str = "auto", point_times: PointTimes = "auto", odometry: str = "auto"
) -> BagIndex:
    """Reads a recording once.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        config: Cameras and limits.
        lidar: Topic of the LiDAR; see `lidar_topic`.
        point_times: See `read_point_cloud`.
        odometry: Topic of the odometry; "auto": all are gathered.

    Raises:
        BagError: If the recording cannot be opened, or is cut: repair it first, as only an index gives fast access.
        ConfigurationError: If its camera layout is not recognised.
        DataError: If it is not clear which topic is the LiDAR's.
    """
    with BagReader(path) as reader:
        kinds = reader.topic_types()
        layout = require_layout(config.preset, kinds).select(config.cameras)
        index = BagIndex(layout, TransformBuffer(config.transforms, whole=True))
        gather = _Gatherer(index, lidar_topic(kinds, lidar), point_times)
        roads = [name for name, kind in kinds.items() if kind == ODOMETRY_TYPE and odometry in ("auto", name)]
        topics = [*layout.topics(), *_TRANSFORM_TOPICS, *roads, *([gather.lidar] if gather.lidar else [])]
        # Only known types: a definition that came with the recording is never compiled.
        types = (*IMAGE_TYPES, _INFO_TYPE, _TRANSFORM_TYPE, ODOMETRY_TYPE, CLOUD_TYPE)
        for item in reader.messages(topics, types):
            try:
                gather.take(item)
            except (TransformError, DataError) as err:
                index.note(str(err))
    return index


class _Gatherer:
    """Sorts messages into an index."""

    def __init__(self, index: BagIndex, lidar: str, point_times: PointTimes) -> None:
        self.lidar = lidar
        self._index = index
        self._point_times: PointTimes = point_times
        self._images = {camera.image_topic: camera.name for camera in index.layout.cameras}
        self._infos = {camera.info_topic: camera.name for camera in index.layout.cameras if camera.info_topic}
        self._contents: dict[str, tuple[bytes, ...]] = {}

    def take(self, item: BagMessage) -> None:
        """Takes a message.

        Raises:
            TransformError: If a pose cannot be used.
            DataError: If a point cloud cannot be used.
        """
        topic, kind = item.topic, item.message_type
        if kind == _TRANSFORM_TYPE and topic in _TRANSFORM_TOPICS:
            self._index.transforms.add_message(item.message, static=topic.endswith("static"))
        elif kind == ODOMETRY_TYPE:
            self._index.odometry.setdefault(topic, []).append(transform_from_odometry(item.message))
        elif kind == CLOUD_TYPE and topic == self.lidar:
            self._take_scan(item)
        elif kind == _INFO_TYPE and topic in self._infos:
            self._take_info(self._infos[topic], item)
        elif kind in IMAGE_TYPES and topic in self._images:
            image = RecordedImage(_place_of(item), item.message.header)
            self._index.events.append(CameraEvent(self._images[topic], item.log_ns, image, None))

    def _take_info(self, camera: str, item: BagMessage) -> None:
        content = calibration_content(item.message)
        if self._contents.get(camera) != content:
            self._contents[camera] = content
            self._index.events.append(CameraEvent(camera, item.log_ns, None, item.message))

    def _take_scan(self, item: BagMessage) -> None:
        cloud = read_point_cloud(item.message, item.topic, self._point_times)
        if len(cloud.points_m):
            first, last = int(cloud.stamps_ns.min()), int(cloud.stamps_ns.max())
            self._index.scans.append(RecordedScan(_place_of(item), cloud.frame, first, last))


def _place_of(item: BagMessage) -> MessagePlace:
    return MessagePlace(item.topic, item.log_ns, stamp_ns(item.message.header))
