"""A few hundred seeded mutations of every kind of bytes that strangers send; benchmarks/fuzz_decoders.py runs more."""

import importlib.util
import struct
import sys
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from distillnerf_core.errors import ImageDecodeError
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.message_factory import MessageFactory

ROOT = Path(__file__).resolve().parents[3]
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 44, 3), dtype=np.uint8)


def _fuzzer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_decoders", ROOT / "benchmarks" / "fuzz_decoders.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["fuzz_decoders"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FUZZER = _fuzzer()


def decode(data: bytes, max_pixels: int = 64_000_000) -> Any:
    message = SimpleNamespace(header=MessageFactory().header(1, "camera"), format="jpeg", data=data)
    return ImageDecoder(max_pixels).decode(message, (24, 44))


@pytest.mark.parametrize("target", sorted(FUZZER.TARGETS))
def test_examples_are_accepted_and_damaged_ones_raise_nothing_but_our_errors(target: str) -> None:
    for example in FUZZER.seeds(target):
        assert FUZZER.check(target, example)
    count = 80 if target in ("mcap", "sqlite") else 250
    accepted, slowest = FUZZER.mutations(target, count, seed=1)
    assert accepted < count
    assert slowest < 5.0


def png(*chunks: tuple[bytes, bytes, int | None]) -> bytes:
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content, length in chunks:
        claimed = len(content) if length is None else length
        data += struct.pack(">I", claimed) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data


def png_of(length: int | None = None) -> bytes:
    header = struct.pack(">IIBBBBB", 44, 24, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in PIXELS))
    return png((b"IHDR", header, None), (b"IDAT", rows, length), (b"IEND", b"", None))


def test_a_png_chunk_that_claims_gigabytes_is_refused_before_the_decoder_takes_them() -> None:
    assert decode(png_of()).shape == (24, 44, 3)
    for length in (2**31 - 1, 2**32 - 1, 4000):
        with pytest.raises(ImageDecodeError, match="damaged PNG"):
            decode(png_of(length))
    header = struct.pack(">IIBBBBB", 44, 24, 8, 2, 0, 0, 0)
    with pytest.raises(ImageDecodeError, match="damaged PNG"):
        decode(png((b"IHDR", header, None), (b"IEND", b"", 2**31 - 1)))


def test_a_png_of_chunks_without_end_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 44, 24, 8, 2, 0, 0, 0)
    many = [(b"tEXt", b"", None)] * 20_000
    with pytest.raises(ImageDecodeError, match="damaged PNG"):
        decode(png((b"IHDR", header, None), *many, (b"IEND", b"", None)))


def size_segment(height: int, width: int) -> bytes:
    return b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)


def test_a_jpeg_cannot_hide_its_size_from_the_header_reader() -> None:
    """Markers without a length, and second sizes: libjpeg would decode 65,500 pixels squared."""
    whole = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    assert decode(whole).shape == (24, 44, 3)
    huge = size_segment(65_500, 65_500)
    hidden = b"\xff\xd0" + struct.pack(">H", 2 + len(huge)) + huge
    for start in (huge, hidden, b"\xff\x01" + hidden, b"\xff\xff" + huge):
        with pytest.raises(ImageDecodeError, match=r"above the limit|damaged JPEG header"):
            decode(whole[:2] + start + whole[2:])


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """A few kilobytes of empty scans would keep a decoder busy for minutes."""
    whole = cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    place = whole.index(b"\xff\xda")
    scan = whole[place : place + 14]
    with pytest.raises(ImageDecodeError, match="scans"):
        decode(whole[:place] + scan * 20_000 + whole[place:], max_pixels=100_000)


def test_a_header_without_end_is_refused() -> None:
    for filler in (b"\xff" * 10_000_000, b"\xff\xd0" * 5_000_000, b"\xff\xfe\x00\x02" * 2_000_000):
        with pytest.raises(ImageDecodeError, match="truncated JPEG"):
            decode(b"\xff\xd8" + filler + cv2.imencode(".jpg", PIXELS)[1].tobytes()[2:])


def test_more_bytes_than_any_image_has_are_not_looked_at() -> None:
    with pytest.raises(ImageDecodeError, match="more than any image"):
        decode(b"\xff\xd8" + bytes(50_000), max_pixels=10_000)
