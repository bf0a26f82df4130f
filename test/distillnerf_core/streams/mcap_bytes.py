"""Builds MCAP files byte by byte, honest ones and others."""

import struct
from dataclasses import dataclass

from backports import zstd

MAGIC = b"\x89MCAP0\r\n"
SCHEMA = b"string data\n"


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def record(opcode: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(content) if length is None else length) + content


def channel() -> bytes:
    schema = struct.pack("<H", 1) + text("std_msgs/msg/String") + text("ros2msg")
    head = record(0x03, schema + struct.pack("<I", len(SCHEMA)) + SCHEMA)
    return head + record(0x04, struct.pack("<HH", 1, 1) + text("/text") + text("cdr") + struct.pack("<I", 0))


def message(log_ns: int, value: str = "hello", length: int | None = None) -> bytes:
    cdr = b"\x00\x01\x00\x00" + struct.pack("<I", len(value) + 1) + value.encode() + b"\x00"
    return record(0x05, struct.pack("<HIQQ", 1, 0, log_ns, log_ns) + cdr, length)


@dataclass(frozen=True)
class Chunk:
    """A chunk and what it says of itself."""

    body: bytes
    compression: str = ""
    first_ns: int = 1
    last_ns: int = 9
    size: int | None = None
    indexed_size: int | None = None
    indexed_offset: int | None = None
    length: int | None = None

    def packed(self) -> bytes:
        return zstd.compress(self.body) if self.compression == "zstd" else self.body


def mcap(*chunks: Chunk, loose: bytes = b"", summary_start: int | None = None) -> bytes:
    """A file of one channel with its chunks, indexed."""
    data = MAGIC + record(0x01, text("ros2") + text("test")) + channel() + loose
    index = b""
    for item in chunks:
        packed = item.packed()
        claimed = len(item.body) if item.size is None else item.size
        head = struct.pack("<QQQI", item.first_ns, item.last_ns, claimed, 0) + text(item.compression)
        chunk = record(0x06, head + struct.pack("<Q", len(packed)) + packed, item.length)
        offset = len(data) if item.indexed_offset is None else item.indexed_offset
        size = claimed if item.indexed_size is None else item.indexed_size
        entry = struct.pack("<QQQQ", item.first_ns, item.last_ns, offset, len(chunk))
        data += chunk
        # One entry for the channel's index of one message, which follows the chunk.
        entry += struct.pack("<IHQQ", 10, 1, len(data), 31) + text(item.compression)
        data += record(0x07, struct.pack("<HIQQ", 1, 16, item.first_ns, 0))
        index += record(0x08, entry + struct.pack("<QQ", len(packed), size))
    data += record(0x0F, struct.pack("<I", 0))
    start = len(data) if summary_start is None else summary_start
    statistics = struct.pack("<QHIIIIQQ", len(chunks), 1, 1, 0, 0, len(chunks), 1, 9) + struct.pack("<I", 0)
    summary = channel() + index + record(0x0B, statistics)
    return data + summary + record(0x02, struct.pack("<QQI", start, 0, 0)) + MAGIC
