"""What a recording holds: topics, rates, cameras, frames."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distillnerf_core.errors import BagError, DistillNerfError, TransformError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.layouts import detect_layout
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.stamped_transform import transform_from_message
from distillnerf_core.streams.stream_config import MotionConfig
from distillnerf_core.streams.sweep_locator import find_fixed_frame
from distillnerf_core.streams.transform_buffer import TransformBuffer

_TRANSFORM_TOPICS = ("/tf", "/tf_static")
_MOST_LISTED = 1000


@dataclass
class TopicActivity:
    """Messages of one topic.

    Attributes:
        message_type: Such as "sensor_msgs/msg/Image".
        count: Number of readable messages.
        first_ns: Log time of the first.
        last_ns: Log time of the last.
    """

    message_type: str
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def rate_hz(self) -> float:
        """Mean rate, 0 for fewer than two messages."""
        span_ns = self.last_ns - self.first_ns
        return (self.count - 1) * NANOSECONDS / span_ns if span_ns > 0 else 0.0


@dataclass
class BagSummary:
    """Contents of a recording.

    Attributes:
        topics: Activity by topic, sorted by name.
        layout: Name of the camera layout that was recognised, "" for none.
        cameras: Its cameras.
        transforms: Distinct (parent, child) frames.
        problems: What is wrong with the recording, in words.
    """

    topics: dict[str, TopicActivity] = field(default_factory=dict)
    layout: str = ""
    cameras: tuple[str, ...] = ()
    transforms: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def fixed_frame(self) -> str:
        """Fixed frame that TF connects to the default body frame; "" for none."""
        tree = TransformBuffer()
        for parent, child in self.transforms:
            with suppress(TransformError):
                tree.add(parent, child, 0, np.eye(4), static=True)
        with suppress(TransformError):
            return find_fixed_frame(tree, MotionConfig())
        return ""

    def topics_of(self, message_type: str) -> tuple[str, ...]:
        """Returns the topics of a type that have messages."""
        return tuple(
            topic for topic, item in sorted(self.topics.items()) if item.message_type == message_type and item.count
        )

    @property
    def duration_s(self) -> float:
        """Time between the first and the last message."""
        used = [item for item in self.topics.values() if item.count]
        if not used:
            return 0.0
        return (max(item.last_ns for item in used) - min(item.first_ns for item in used)) / NANOSECONDS


def summarise_bag(path: Path | str) -> BagSummary:
    """Reads a recording once and says what it holds; a cut one as far as it goes.

    Raises:
        BagError: If there is no recording, or it is encoded for another system.
    """
    summary = BagSummary()
    problems: dict[str, None] = {}
    edges: dict[tuple[str, str], None] = {}
    with BagReader(path) as reader:
        for item in reader.topics():
            summary.topics[item.topic] = TopicActivity(item.message_type)
        try:
            _count_messages(reader, summary)
            _collect_edges(reader, edges, problems)
        except BagError as err:
            problems[str(err)] = None
    layout = detect_layout({topic: item.message_type for topic, item in summary.topics.items()})
    summary.layout = layout.name if layout else ""
    summary.cameras = layout.names if layout else ()
    summary.transforms = tuple(sorted(edges))
    summary.problems = tuple(problems)
    return summary


def _count_messages(reader: BagReader, summary: BagSummary) -> None:
    for item in reader.serialised():
        activity = summary.topics.setdefault(item.topic, TopicActivity(item.message_type))
        activity.first_ns = item.log_ns if activity.count == 0 else min(activity.first_ns, item.log_ns)
        activity.last_ns = max(activity.last_ns, item.log_ns)
        activity.count += 1


def _collect_edges(reader: BagReader, edges: dict[tuple[str, str], None], problems: dict[str, None]) -> None:
    for item in reader.messages(_TRANSFORM_TOPICS, types=("tf2_msgs/msg/TFMessage",)):
        for transform in item.message.transforms:
            try:
                read = transform_from_message(transform)
                if len(edges) < _MOST_LISTED:
                    edges[read.parent, read.child] = None
            except DistillNerfError as err:
                if len(problems) < _MOST_LISTED:
                    problems[str(err)] = None
