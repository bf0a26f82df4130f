"""Looks an MCAP file over before an indexed reader trusts the sizes and offsets in it."""

import os
import struct
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from distillnerf_core.errors import BagError
from distillnerf_core.streams.chunk_compression import MAX_CHUNK_BYTES, DamagedChunkError, declares_its_size, unpack

MAGIC = b"\x89MCAP0\r\n"
MAX_OPEN_BYTES = 2**30
"""Most bytes of chunks that overlap in time, which a reader in the order of time holds at once."""
_FOOTER, _MESSAGE, _CHUNK, _CHUNK_INDEX, _DATA_END = 0x02, 0x05, 0x06, 0x08, 0x0F
_MOST_HEADER_BYTES = 100


class _UnsoundError(Exception):
    """The file is cut, damaged, or its index does not tell the truth."""


@dataclass(frozen=True)
class _Chunk:
    offset: int
    length: int
    first_ns: int
    last_ns: int
    compression: str
    compressed_size: int
    size: int


def mcap_is_sound(path: Path) -> bool:
    """Tells whether the index of a file can be trusted; reads heads of records, and compressed chunks whole.

    Sound means: every record lies within the file, the index names the chunks that there are, and each unpacks to the
    size it declares.

    Raises:
        BagError: If a record or chunk is above the limits.
    """
    try:
        with path.open("rb") as stream:
            _check(stream, path)
    except (_UnsoundError, DamagedChunkError, struct.error, UnicodeDecodeError, OSError):
        return False
    return True


def _check(stream: BufferedReader, path: Path) -> None:
    end = os.fstat(stream.fileno()).st_size
    if stream.read(len(MAGIC)) != MAGIC:
        raise _UnsoundError
    chunks: dict[int, _Chunk] = {}
    summary_start = 0
    while True:
        offset = stream.tell()
        opcode, length = _head(stream, end)
        if opcode in (_MESSAGE, _CHUNK) and length > MAX_CHUNK_BYTES:
            raise BagError(f"{path}: a record of {length} bytes is above the limit of {MAX_CHUNK_BYTES} bytes")
        if opcode == _CHUNK:
            chunks[offset] = _chunk(stream, offset, length, path)
        elif opcode == _CHUNK_INDEX:
            _check_index(stream.read(length), chunks)
        elif opcode == _DATA_END:
            summary_start = offset + 9 + length
        elif opcode == _FOOTER:
            (claimed,) = struct.unpack_from("<Q", stream.read(length))
            if claimed not in (0, summary_start) or stream.read() != MAGIC:
                raise _UnsoundError
            break
        stream.seek(offset + 9 + length)
    _check_overlap(list(chunks.values()), path)


def _head(stream: BufferedReader, end: int) -> tuple[int, int]:
    opcode, length = struct.unpack("<BQ", stream.read(9))
    if length > end - stream.tell():
        raise _UnsoundError
    return opcode, length


def _chunk(stream: BufferedReader, offset: int, length: int, path: Path) -> _Chunk:
    head = stream.read(min(length, _MOST_HEADER_BYTES))
    first_ns, last_ns, size, _, name_length = struct.unpack_from("<QQQII", head)
    compression = head[32 : 32 + name_length].decode()
    (compressed_size,) = struct.unpack_from("<Q", head, 32 + name_length)
    start = 40 + name_length
    if start + compressed_size > length:
        raise _UnsoundError
    if size > MAX_CHUNK_BYTES:
        raise BagError(f"{path}: a chunk of {size} bytes is above the limit of {MAX_CHUNK_BYTES} bytes")
    if compression:
        stream.seek(offset + 9 + start)
        data = stream.read(compressed_size)
        if not declares_its_size(compression, data, size) and len(unpack(compression, data, str(path))) != size:
            raise _UnsoundError
    elif compressed_size != size:
        raise _UnsoundError
    return _Chunk(offset, 9 + length, first_ns, last_ns, compression, compressed_size, size)


def _check_index(content: bytes, chunks: dict[int, _Chunk]) -> None:
    first_ns, last_ns, offset, length, map_bytes = struct.unpack_from("<QQQQI", content)
    place = 36 + map_bytes + 8
    (name_length,) = struct.unpack_from("<I", content, place)
    compression = content[place + 4 : place + 4 + name_length].decode()
    compressed_size, size = struct.unpack_from("<QQ", content, place + 4 + name_length)
    if chunks.get(offset) != _Chunk(offset, length, first_ns, last_ns, compression, compressed_size, size):
        raise _UnsoundError


def _check_overlap(chunks: list[_Chunk], path: Path) -> None:
    """Adds up, over time, the chunks that have begun and not ended."""
    events = [(chunk.first_ns, chunk.size) for chunk in chunks] + [(chunk.last_ns + 1, -chunk.size) for chunk in chunks]
    held = 0
    for _, change in sorted(events):
        held += change
        if held > MAX_OPEN_BYTES:
            raise BagError(
                f"{path}: chunks of more than {MAX_OPEN_BYTES} bytes overlap in time; sort it with `mcap sort`"
            )
