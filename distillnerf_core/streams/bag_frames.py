"""Frames from a recording: the offline twin of the live node, driven by log time."""

from collections.abc import Iterator
from pathlib import Path

from distillnerf_core.errors import BagError, CalibrationError, DistillNerfError, TransformError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.streams.bag_reader import BagMessage, BagReader
from distillnerf_core.streams.frame_assembler import AssembledFrame, LocatedSweep
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.layouts import IMAGE_TYPES, require_layout
from distillnerf_core.streams.stream_config import StreamConfig

_TRANSFORM_TOPICS = ("/tf", "/tf_static")
_TRANSFORM_TYPE, _INFO_TYPE = "tf2_msgs/msg/TFMessage", "sensor_msgs/msg/CameraInfo"
_MOST_PROBLEMS = 1000


class BagFrameSource:
    """Iterates over the frames of a recording with the synchroniser and assembler of the live node.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        height: Rows of the frames' images.
        width: Columns of the frames' images.
        config: Limits and policies.

    Attributes:
        stream: The stream, with counters of images, sweeps and losses.
        problems: Distinct problems met so far, in order, at most a thousand.

    Raises:
        BagError: If the recording cannot be opened.
        ConfigurationError: If its camera layout is not recognised.
    """

    def __init__(self, path: Path | str, height: int, width: int, config: StreamConfig | None = None) -> None:
        self.path = Path(path)
        self._config = config or StreamConfig()
        with BagReader(self.path) as reader:
            layout = require_layout(self._config.preset, reader.topic_types())
        self.stream = FrameStream(layout, self._config)
        cameras = self.stream.layout.cameras
        self.problems: dict[str, None] = {}
        self._assembler = self.stream.assembler(height, width)
        self._image_cameras = {camera.image_topic: camera.name for camera in cameras}
        self._info_cameras = {camera.info_topic: camera.name for camera in cameras if camera.info_topic}

    def __iter__(self) -> Iterator[AssembledFrame]:
        """Yields frames in order of time.

        Raises:
            BagError: After the last frame of a cut recording.
        """
        topics = [*self._image_cameras, *self._info_cameras, *_TRANSFORM_TOPICS]
        now_ns = 0
        damage: BagError | None = None
        with BagReader(self.path) as reader:
            try:
                # Only known types: a definition that came with the recording is never compiled.
                for item in reader.messages(topics, types=(*IMAGE_TYPES, _INFO_TYPE, _TRANSFORM_TYPE)):
                    now_ns = item.log_ns
                    self._take(item)
                    yield from self._assemble(self.stream.poll(now_ns))
            except BagError as err:
                damage = err
        yield from self._assemble(self.stream.flush(now_ns))
        if damage is not None:
            raise damage

    def _take(self, item: BagMessage) -> None:
        kind, topic = item.message_type, item.topic
        try:
            if kind == _TRANSFORM_TYPE and topic in _TRANSFORM_TOPICS:
                self.stream.add_transforms(item.message, static=topic.endswith("static"))
            elif kind == _INFO_TYPE and topic in self._info_cameras:
                self.stream.add_camera_info(self._info_cameras[topic], item.message)
            elif kind in IMAGE_TYPES and topic in self._image_cameras:
                self.stream.add_image(self._image_cameras[topic], item.message, item.log_ns)
        except (CalibrationError, TransformError) as err:
            self._note(str(err))

    def _assemble(self, sweeps: list[LocatedSweep]) -> Iterator[AssembledFrame]:
        for located in sweeps:
            try:
                assembled = self._assembler.assemble(located)
            except DistillNerfError as err:
                self.stream.dropped["unusable images"] += 1
                self._note(str(err))
                continue
            for problem in assembled.problems.values():
                self._note(problem)
            yield assembled

    def _note(self, problem: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems[problem] = None


def frames_from_bag(
    path: Path | str, height: int, width: int, config: StreamConfig | None = None
) -> Iterator[MultiViewFrame]:
    """Yields the frames of a recording; see `BagFrameSource` for counters and frame names.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        height: Rows of the frames' images.
        width: Columns of the frames' images.
        config: Limits and policies.

    Raises:
        BagError: If the recording cannot be opened, or after the last frame of a cut one.
        ConfigurationError: If its camera layout is not recognised.
    """
    for assembled in BagFrameSource(path, height, width, config):
        yield assembled.frame
