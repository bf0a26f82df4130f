"""Chunks of MCAP files, unpacked within a limit whatever they claim."""

from typing import Any

from distillnerf_core.errors import BagError

MAX_CHUNK_BYTES = 2**28
"""Largest record, and largest chunk after it is unpacked. Recorders write chunks of about a megabyte."""


class DamagedChunkError(Exception):
    """A chunk that no compressor wrote like this."""


def unpack(compression: str, data: bytes, where: str) -> bytes:
    """Returns the content of a chunk; of one that is cut, what can be unpacked.

    Args:
        compression: "", "zstd" or "lz4".
        data: The chunk's records, compressed.
        where: File, for error messages.

    Raises:
        BagError: If it unpacks to more than `MAX_CHUNK_BYTES`, of which no more is unpacked than that.
        DamagedChunkError: If it is damaged or of another compression.
    """
    if not compression:
        return data
    content = _unpack(compression, data, MAX_CHUNK_BYTES + 1)
    if len(content) > MAX_CHUNK_BYTES:
        raise BagError(
            f"{where}: a chunk of {len(data)} bytes unpacks to more than the limit of {MAX_CHUNK_BYTES} bytes; "
            "this is no recording of a robot"
        )
    return content


def declares_its_size(compression: str, data: bytes, size: int) -> bool:
    """Tells whether unpacking in one go ends at `size` bytes or fails, so that no limit is needed."""
    if not compression:
        return len(data) == size
    try:
        if compression == "zstd":
            zstd = _zstd()
            whole = zstd.get_frame_size(data) == len(data)
            return bool(whole and zstd.get_frame_info(data).decompressed_size == size)
        if compression == "lz4":
            from lz4.frame import get_frame_info  # type: ignore[import-untyped]

            return bool(get_frame_info(data)["content_size"] == size)
    except (ValueError, RuntimeError, _zstd().ZstdError):
        return False
    return False


def _unpack(compression: str, data: bytes, limit: int) -> bytes:
    try:
        if compression == "zstd":
            return bytes(_zstd().ZstdDecompressor().decompress(data, limit))
        if compression == "lz4":
            from lz4.frame import LZ4FrameDecompressor

            return bytes(LZ4FrameDecompressor().decompress(data, limit))
    except (RuntimeError, EOFError, _zstd().ZstdError) as err:
        raise DamagedChunkError(str(err)) from err
    raise DamagedChunkError(f"compression {compression!r}")


def _zstd() -> Any:
    """Returns the module for zstd that rosbags uses: Python's own or its backport."""
    from rosbags.rosbag2.storage_mcap import zstd

    return zstd
