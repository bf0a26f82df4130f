"""JPEG and PNG to RGB, decoding a JPEG at reduced scale where a smaller image is wanted."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import ImageDecodeError

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8"
_ADVICE = "check the publisher and the connection"
_START_OF_SCAN = 0xDA
_MOST_SEGMENTS = 10_000
_MARKERS_ALONE = (0x01, *range(0xD0, 0xD8))
"""Markers without a length: a reader that took one for a segment would see another size than the decoder."""
_REDUCED_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True)
class CompressedHeader:
    """What the first bytes of a compressed image say.

    Attributes:
        kind: "jpeg" or "png".
        height: Rows of the full image.
        width: Columns of the full image.
        passes: How often a decoder goes over all pixels: once for each scan of a JPEG.
    """

    kind: str
    height: int
    width: int
    passes: int = 1


def read_header(data: NDArray[np.uint8], source: str) -> CompressedHeader:
    """Reads kind and size without decoding, and checks that the end of the image is there.

    Args:
        data: The bytes of the file.
        source: Topic or frame, for error messages.

    Raises:
        ImageDecodeError: Neither JPEG nor PNG, damaged header, or cut before its end.
    """
    blob = data.tobytes()
    if blob.startswith(_JPEG_MAGIC):
        return _jpeg_header(blob, source)
    if blob.startswith(_PNG_MAGIC):
        return _png_header(blob, source)
    found = "no data" if not blob else f"data that begins with {blob[:8].hex()}"
    raise ImageDecodeError(f"{source}: expected a JPEG or PNG image, got {found}; publish jpeg or png")


def decode_compressed(
    data: NDArray[np.uint8], header: CompressedHeader, target: tuple[int, int] | None, source: str
) -> NDArray[np.uint8]:
    """Decodes to RGB, at the smallest exact JPEG scale that is not below the target.

    Args:
        data: The bytes of the file.
        header: Result of `read_header` for the same bytes.
        target: Wanted (height, width); None for full size.
        source: Topic or frame, for error messages.

    Returns:
        RGB image, at least as large as the target where the original is.

    Raises:
        ImageDecodeError: If the decoder refuses the data.
    """
    scale = reduced_scale(header, target)
    try:
        image = cv2.imdecode(data, _REDUCED_FLAGS[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as err:
        raise ImageDecodeError(f"{source}: damaged {header.kind} image: {err}") from err
    expected = (header.height // scale, header.width // scale, 3)
    if image is None or image.shape != expected:
        raise ImageDecodeError(f"{source}: damaged {header.kind} image of {data.size} bytes; {_ADVICE}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def reduced_scale(header: CompressedHeader, target: tuple[int, int] | None) -> int:
    """Returns the divisor (1, 2, 4, 8) of the scale to decode at.

    Only divisors of both sides count: the reduced image then covers exactly the full one.
    """
    if target is None or header.kind != "jpeg":
        return 1
    for scale in (8, 4, 2):
        divides = header.height % scale == 0 and header.width % scale == 0
        if divides and header.height // scale >= target[0] and header.width // scale >= target[1]:
            return scale
    return 1


def _jpeg_header(blob: bytes, source: str) -> CompressedHeader:
    size: tuple[int, int] | None = None
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if position + 4 > len(blob):
            break
        if blob[position] != 0xFF:
            raise ImageDecodeError(f"{source}: damaged JPEG header at byte {position}; check the connection")
        marker = blob[position + 1]
        if marker == 0xFF or marker in _MARKERS_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and position + 9 <= len(blob):
            if size is not None:
                raise ImageDecodeError(f"{source}: damaged JPEG header: two sizes; check the publisher")
            size = (
                int.from_bytes(blob[position + 5 : position + 7], "big"),
                int.from_bytes(blob[position + 7 : position + 9], "big"),
            )
        if marker == _START_OF_SCAN:
            break
        position += 2 + int.from_bytes(blob[position + 2 : position + 4], "big")
    if size is None or blob.rfind(b"\xff\xd9") < position:
        raise ImageDecodeError(f"{source}: truncated JPEG of {len(blob)} bytes (no end marker); {_ADVICE}")
    return CompressedHeader("jpeg", *_checked(size, source), passes=blob.count(b"\xff\xda"))


def _png_header(blob: bytes, source: str) -> CompressedHeader:
    """Walks all chunks: OpenCV takes memory for as many bytes as a chunk claims to have, up to 2 GiB."""
    position = 8
    for number in range(_MOST_SEGMENTS):
        length, kind = int.from_bytes(blob[position : position + 4], "big"), blob[position + 4 : position + 8]
        if (kind == b"IHDR") != (number == 0) or (number == 0 and length != 13):
            break
        position += 12 + length
        if position > len(blob):
            break
        if kind == b"IEND":
            size = (int.from_bytes(blob[20:24], "big"), int.from_bytes(blob[16:20], "big"))
            return CompressedHeader("png", *_checked(size, source))
    raise ImageDecodeError(f"{source}: truncated or damaged PNG of {len(blob)} bytes (no end chunk); {_ADVICE}")


def _checked(size: tuple[int, int], source: str) -> tuple[int, int]:
    if min(size) < 1:
        raise ImageDecodeError(f"{source}: the image header says {size[1]}x{size[0]} pixels")
    return size
