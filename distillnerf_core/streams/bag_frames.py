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


class BagFrameSource:
    """Iterates over the frames of a recording with the synchroniser and assembler of the live node.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        height: Rows of the frames' images.
        width: Columns of the frames' images.
        config: Limits and policies.

    Attributes:
        stream: The stream, with counters of images, sweeps and losses.
        problems: Distinct problems met so far, in order.

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
                for item in reader.messages(topics):
                    now_ns = item.log_ns
                    self._take(item)
                    yield from self._assemble(self.stream.poll(now_ns))
            except BagError as err:
                damage = err
        yield from self._assemble(self.stream.flush(now_ns))
        if damage is not None:
            raise damage

    def _take(self, item: BagMessage) -> None:
        try:
            if item.topic in _TRANSFORM_TOPICS:
                self.stream.add_transforms(item.message, static=item.topic.endswith("static"))
            elif item.topic in self._info_cameras:
                self.stream.add_camera_info(self._info_cameras[item.topic], item.message)
            elif item.message_type in IMAGE_TYPES:
                self.stream.add_image(self._image_cameras[item.topic], item.message, item.log_ns)
        except (CalibrationError, TransformError) as err:
            self.problems[str(err)] = None

    def _assemble(self, sweeps: list[LocatedSweep]) -> Iterator[AssembledFrame]:
        for located in sweeps:
            try:
                assembled = self._assembler.assemble(located)
            except DistillNerfError as err:
                self.stream.dropped["unusable images"] += 1
                self.problems[str(err)] = None
                continue
            self.problems.update(dict.fromkeys(assembled.problems.values()))
            yield assembled


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
