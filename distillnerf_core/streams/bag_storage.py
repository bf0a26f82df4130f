"""Serialised messages of a recording: through its index where it is whole, else whatever can be read."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinitionFormat, QosDurability
from rosbags.rosbag2 import Reader

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_limits import index_is_sound
from distillnerf_core.streams.mcap_scan import McapChannel, McapScanner

_SUFFIXES = (".mcap", ".db3")


@dataclass(frozen=True)
class SerialisedMessage:
    """A message as it lies in the file.

    Attributes:
        topic: Topic name.
        message_type: Such as "sensor_msgs/msg/Image".
        definition: Text of the type's definition, "" where the file has none.
        idl: True where the definition is IDL instead of .msg text.
        log_ns: Receive time.
        data: CDR bytes.
    """

    topic: str
    message_type: str
    definition: str
    idl: bool
    log_ns: int
    data: bytes


class BagStorage:
    """Access to the messages of a rosbag2 folder, a single .mcap or a single .db3 file.

    Args:
        path: The recording.

    Attributes:
        damaged: True once a read met the place where the recording is cut.

    Raises:
        BagError: If there is no recording, or it is encoded for another system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise BagError(f"{path} does not exist; give a rosbag2 folder, .mcap or .db3 file")
        self._reader = _open_indexed(path) if index_is_sound(path) else None
        self.damaged = False
        self._files = [] if self._reader else _files_of(path)

    def topic_counts(self) -> dict[tuple[str, str], int]:
        """Returns the number of readable messages for each (topic, message type)."""
        if self._reader is not None:
            return {(item.topic, item.msgtype): item.msgcount for item in self._reader.connections}
        counts: dict[tuple[str, str], int] = {}
        try:
            for message in self._salvage():
                key = (message.topic, message.message_type)
                counts[key] = counts.get(key, 0) + 1
        except sqlite3.Error:
            self.damaged = True
        return counts

    def time_range_ns(self) -> tuple[int, int] | None:
        """Returns the first and last log time from the index; None where there is none (a cut or empty recording)."""
        if self._reader is None or not self._reader.message_count:
            return None
        return self._reader.start_time, self._reader.end_time - 1

    def latched_topics(self) -> set[str]:
        """Returns the topics whose recorded QoS keeps messages for late subscribers, such as /tf_static."""
        if self._reader is None:
            return set()
        return {item.topic for item in self._reader.connections if _is_latched(item)}

    def messages(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[SerialisedMessage]:
        """Yields messages in the order of their log time.

        Args:
            topics: Topics to read; all where None.
            start_ns: Log time to begin at; None: the beginning.
            stop_ns: Log time to end before; None: the end.

        Raises:
            BagError: After the last readable message of a cut or damaged recording; says how many there were.
        """
        count = 0
        iterator = self._indexed(topics, start_ns, stop_ns) if self._reader is not None else self._salvage()
        while True:
            try:
                message = next(iterator)
            except StopIteration:
                break
            except BagError:
                raise
            except Exception as err:  # readers raise many kinds on damaged data, all mean the same
                self.damaged = True
                raise self._cut(count, str(err)) from err
            count += 1
            inside = (start_ns or 0) <= message.log_ns and (stop_ns is None or message.log_ns < stop_ns)
            if inside and (topics is None or message.topic in topics):
                yield message
        if self.damaged:
            raise self._cut(count, "the file has no end")

    def close(self) -> None:
        """Closes the files."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _cut(self, count: int, why: str) -> BagError:
        return BagError(
            f"{self.path} is cut or damaged ({why}): {count} messages were readable; "
            "record it again, or repair it with `mcap recover` or `ros2 bag reindex`"
        )

    def _indexed(
        self, topics: Collection[str] | None, start_ns: int | None, stop_ns: int | None
    ) -> Iterator[SerialisedMessage]:
        assert self._reader is not None
        wanted = [item for item in self._reader.connections if topics is None or item.topic in topics]
        if not wanted:
            return
        for connection, log_ns, data in self._reader.messages(wanted, start_ns, stop_ns):
            idl = connection.msgdef.format == MessageDefinitionFormat.IDL
            definition = connection.msgdef.data
            yield SerialisedMessage(connection.topic, connection.msgtype, definition, idl, *_checked(log_ns, data))

    def _salvage(self) -> Iterator[SerialisedMessage]:
        for path in self._files:
            yield from self._scan_mcap(path) if path.suffix == ".mcap" else _scan_sqlite(path)

    def _scan_mcap(self, path: Path) -> Iterator[SerialisedMessage]:
        scanner = McapScanner(path)
        for channel, log_ns, data in scanner.messages():
            if channel.encoding != "cdr":
                raise _foreign(path, channel)
            idl = channel.schema_encoding == "ros2idl"
            definition = channel.schema.decode(errors="replace")
            yield SerialisedMessage(channel.topic, channel.message_type, definition, idl, log_ns, data)
        self.damaged |= scanner.cut


def _is_latched(connection: Any) -> bool:
    profiles = getattr(connection.ext, "offered_qos_profiles", ())
    return any(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in profiles)


def _open_indexed(path: Path) -> Any | None:
    try:
        reader = Reader(path)
        reader.open()
    except Exception:  # rosbags raises its own, struct, assertion and decoding errors on damaged files
        return None
    return reader


def _files_of(path: Path) -> list[Path]:
    files = sorted(item for item in path.iterdir() if item.suffix in _SUFFIXES) if path.is_dir() else [path]
    if not files or files[0].suffix not in _SUFFIXES:
        raise BagError(f"{path} holds no recording; give a rosbag2 folder, .mcap or .db3 file")
    return files


def _foreign(path: Path, channel: McapChannel) -> BagError:
    return BagError(
        f"{path}: {channel.topic} is {channel.encoding} ({channel.message_type}), which ROS 2 cannot play; "
        f"convert it with `distillnerf bag convert {path} {path.stem}_ros2.mcap`"
    )


def _scan_sqlite(path: Path) -> Iterator[SerialisedMessage]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        connection.execute("PRAGMA writable_schema=ON")  # lets SQLite open a file shorter than its header says
        rows = connection.execute("SELECT id, name, type FROM topics")
        topics = {number: (name, kind) for number, name, kind in rows}
        for number, log_ns, data in connection.execute("SELECT topic_id, timestamp, data FROM messages"):
            if number not in topics:
                raise sqlite3.DatabaseError(f"a message of topic {number}, which there is not")
            name, kind = topics[number]
            yield SerialisedMessage(str(name), str(kind), "", False, *_checked(log_ns, data))


def _checked(log_ns: Any, data: Any) -> tuple[int, bytes]:
    """Returns time and content of a message; SQLite holds any type in any column."""
    if not isinstance(log_ns, int) or not isinstance(data, bytes | memoryview):
        raise sqlite3.DatabaseError(f"a message with a {type(log_ns).__name__} as time, {type(data).__name__} as data")
    return log_ns, bytes(data)
