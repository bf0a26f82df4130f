"""Reads rosbag2 recordings (MCAP or sqlite3) without ROS."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_storage import BagStorage, SerialisedMessage


@dataclass(frozen=True)
class TopicSummary:
    """A topic of a recording.

    Attributes:
        topic: Name.
        message_type: Such as "sensor_msgs/msg/Image".
        count: Number of readable messages.
    """

    topic: str
    message_type: str
    count: int


@dataclass(frozen=True)
class BagMessage:
    """A deserialised message; its fields are named as in ROS.

    Attributes:
        topic: Topic name.
        message_type: Such as "sensor_msgs/msg/Image".
        log_ns: Receive time.
        message: The message.
    """

    topic: str
    message_type: str
    log_ns: int
    message: Any


class BagReader:
    """Context manager over a rosbag2 folder, a single .mcap or a single .db3 file.

    Args:
        path: The recording.

    Raises:
        BagError: If there is no recording, or it is encoded for another system.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._storage = BagStorage(self.path)
        self._typestore = get_typestore(Stores.ROS2_JAZZY)

    def __enter__(self) -> "BagReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._storage.close()

    @property
    def damaged(self) -> bool:
        """True once a read met the place where the recording is cut."""
        return self._storage.damaged

    def topics(self) -> tuple[TopicSummary, ...]:
        """Returns the topics, sorted by name; a cut recording is read once for it."""
        counts = self._storage.topic_counts()
        return tuple(TopicSummary(topic, kind, count) for (topic, kind), count in sorted(counts.items()))

    def topic_types(self) -> dict[str, str]:
        """Returns the message type of each topic."""
        return {item.topic: item.message_type for item in self.topics()}

    def messages(
        self,
        topics: Collection[str] | None = None,
        types: Collection[str] | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[BagMessage]:
        """Yields deserialised messages in the order of their log time.

        Args:
            topics: Topics to read; all where None.
            types: Message types to read, others are passed over; all where None, for which the definitions that
                came with the recording are compiled.
            start_ns: Log time to begin at; None: the beginning.
            stop_ns: Log time to end before; None: the end.

        Raises:
            BagError: After the last readable message of a cut recording, or on a message of another type.
        """
        for item in self._storage.messages(topics, start_ns, stop_ns):
            if types is not None and item.message_type not in types:
                continue
            yield BagMessage(item.topic, item.message_type, item.log_ns, self._deserialise(item))

    def serialised(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[SerialisedMessage]:
        """Yields messages as they lie in the file, for copying; raises like `messages`.

        Args:
            topics: Topics to read; all where None.
            start_ns: Log time to begin at; None: the beginning.
            stop_ns: Log time to end before; None: the end.
        """
        return self._storage.messages(topics, start_ns, stop_ns)

    def time_range_ns(self) -> tuple[int, int] | None:
        """Returns the first and last log time; None where the recording has no index or no message."""
        return self._storage.time_range_ns()

    def latched_topics(self) -> set[str]:
        """Returns the topics whose recorded QoS keeps messages for late subscribers, such as /tf_static."""
        return self._storage.latched_topics()

    def _deserialise(self, item: SerialisedMessage) -> Any:
        try:
            if item.message_type not in self._typestore.types:
                read = get_types_from_idl if item.idl else get_types_from_msg
                arguments = (item.definition,) if item.idl else (item.definition, item.message_type)
                self._typestore.register(read(*arguments))
            return self._typestore.deserialize_cdr(item.data, item.message_type)
        except Exception as err:  # rosbags' generated code raises whatever damaged bytes lead to
            raise BagError(
                f"{self.path}: cannot read the {item.message_type} on {item.topic} at {item.log_ns} ns: "
                f"{err!r}; the message is damaged or its definition is missing"
            ) from err
