"""Reads MCAP files record by record, for files whose index is missing because they were cut."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END, BufferedIOBase, BytesIO
from pathlib import Path

from distillnerf_core.errors import BagError
from distillnerf_core.streams.chunk_compression import MAX_CHUNK_BYTES, DamagedChunkError, unpack
from distillnerf_core.streams.mcap_check import MAGIC

_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F


@dataclass(frozen=True)
class McapChannel:
    """A topic of an MCAP file.

    Attributes:
        topic: Topic name.
        message_type: Name of its schema, such as "sensor_msgs/msg/Image".
        encoding: Of its messages: "cdr", "protobuf", ...
        schema_encoding: Of the definition: "ros2msg", "ros2idl", "protobuf", ...
        schema: Bytes of the definition.
    """

    topic: str
    message_type: str
    encoding: str
    schema_encoding: str
    schema: bytes


class _CutError(Exception):
    """The file ends within a record."""


@dataclass(frozen=True)
class _Schema:
    name: str
    encoding: str
    data: bytes


class McapScanner:
    """Linear reader of one MCAP file.

    Args:
        path: The file.

    Attributes:
        channels: Topics met so far, by channel number.
        cut: True once the scan met the end of a file that was cut or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channels: dict[int, McapChannel] = {}
        self.cut = False
        self._schemas: dict[int, _Schema] = {}

    def messages(self) -> Iterator[tuple[McapChannel, int, bytes]]:
        """Yields (channel, log time in nanoseconds, serialised message) in the order of the file.

        Ends quietly where the file is cut or damaged; `cut` tells.

        Raises:
            BagError: If the file cannot be opened or is no MCAP file.
        """
        try:
            with self.path.open("rb") as stream:
                if stream.read(len(MAGIC)) != MAGIC:
                    raise BagError(f"{self.path} is no MCAP file; give a rosbag2 folder, .mcap or .db3")
                yield from self._records(stream)
        except OSError as err:
            raise BagError(f"cannot read bag {self.path}: {err}") from err

    def _records(self, stream: BufferedIOBase) -> Iterator[tuple[McapChannel, int, bytes]]:
        try:
            while True:
                opcode, content = _next_record(stream, self.path)
                if opcode == _DATA_END:
                    return
                if opcode == _CHUNK:
                    yield from self._chunk(content)
                else:
                    yield from self._record(opcode, content)
        except (_CutError, DamagedChunkError, struct.error, UnicodeDecodeError, KeyError):
            self.cut = True

    def _chunk(self, content: bytes) -> Iterator[tuple[McapChannel, int, bytes]]:
        body, complete = _chunk_body(content, self.path)
        stream = BytesIO(body)
        while stream.tell() < len(body):
            yield from self._record(*_next_record(stream, self.path))
        if not complete:
            raise _CutError

    def _record(self, opcode: int, content: bytes) -> Iterator[tuple[McapChannel, int, bytes]]:
        if opcode == _SCHEMA:
            (number,) = struct.unpack_from("<H", content)
            name, offset = _string(content, 2)
            encoding, offset = _string(content, offset)
            (length,) = struct.unpack_from("<I", content, offset)
            self._schemas[number] = _Schema(name, encoding, content[offset + 4 : offset + 4 + length])
        elif opcode == _CHANNEL:
            number, schema_number = struct.unpack_from("<HH", content)
            topic, offset = _string(content, 4)
            encoding, _ = _string(content, offset)
            self.channels[number] = self._channel(topic, encoding, schema_number)
        elif opcode == _MESSAGE:
            number, _, log_ns, _ = struct.unpack_from("<HIQQ", content)
            yield self.channels[number], log_ns, content[22:]

    def _channel(self, topic: str, encoding: str, schema_number: int) -> McapChannel:
        schema = self._schemas.get(schema_number, _Schema("", "", b""))
        return McapChannel(topic, schema.name, encoding, schema.encoding, schema.data)


def _next_record(stream: BufferedIOBase, path: Path) -> tuple[int, bytes]:
    head = stream.read(9)
    if len(head) < 9:
        raise _CutError
    opcode, length = struct.unpack("<BQ", head)
    if length > MAX_CHUNK_BYTES:
        return opcode, _skip(stream, opcode, length, path)
    content = stream.read(length)
    if len(content) < length and opcode != _CHUNK:
        raise _CutError
    return opcode, content


def _skip(stream: BufferedIOBase, opcode: int, length: int, path: Path) -> bytes:
    """Passes over a record too large to read, such as an attachment, without reading it."""
    start = stream.tell()
    if stream.seek(0, SEEK_END) - start < length:
        raise _CutError
    if opcode in (_MESSAGE, _CHUNK, _SCHEMA, _CHANNEL):
        raise BagError(f"{path}: a record of {length} bytes is above the limit of {MAX_CHUNK_BYTES} bytes")
    stream.seek(start + length)
    return b""


def _chunk_body(content: bytes, path: Path) -> tuple[bytes, bool]:
    uncompressed_size = struct.unpack_from("<QQQI", content)[2]
    compression, offset = _string(content, 28)
    body = unpack(compression, content[offset + 8 :], str(path))
    return body, len(body) >= uncompressed_size


def _string(content: bytes, offset: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", content, offset)
    end = offset + 4 + length
    if end > len(content):
        raise _CutError
    return content[offset + 4 : end].decode(), end
