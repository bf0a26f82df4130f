"""Camera image messages to RGB arrays of the wanted size."""

import logging
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import ImageDecodeError
from distillnerf_core.streams.compressed_images import CompressedHeader, decode_compressed, read_header
from distillnerf_core.streams.message_fields import byte_view
from distillnerf_core.streams.raw_images import decode_raw

logger = logging.getLogger(__name__)

MAX_PIXELS = 64_000_000
MAX_PASSES = 16
"""Scans of a JPEG of the largest size; progressive ones have about ten. Smaller images may have more."""
_MOST_BYTES_PER_PIXEL = 4


@dataclass(frozen=True)
class InspectedImage:
    """An image message whose size is known and within the limits, not decoded yet.

    Attributes:
        message: `sensor_msgs/Image` or `sensor_msgs/CompressedImage`.
        source: Topic, for error messages.
        height: Rows.
        width: Columns.
        header: Header of a compressed image, None for a raw one.
    """

    message: Any
    source: str
    height: int
    width: int
    header: CompressedHeader | None


class ImageDecoder:
    """Decodes `sensor_msgs/Image` and `CompressedImage`, warning once per source about ambiguous encodings.

    Args:
        max_pixels: Larger images are refused before memory is taken.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._warned: set[str] = set()

    def inspect(self, message: Any, source: str | None = None) -> InspectedImage:
        """Reads the size that an image message claims, without decoding it.

        Args:
            message: `sensor_msgs/Image` or `sensor_msgs/CompressedImage`, live or from a bag.
            source: Topic, for error messages; the header's frame where None.

        Raises:
            ImageDecodeError: If the header is damaged or the image is too large.
        """
        source = source or _source_of(message)
        header, passes = None, 1
        if _is_compressed(message):
            count = len(message.data)
            if count > _MOST_BYTES_PER_PIXEL * self._max_pixels:
                raise ImageDecodeError(f"{source}: {count} bytes are more than any image of {self._max_pixels} pixels")
            header = read_header(byte_view(message.data), source)
            height, width, passes = header.height, header.width, header.passes
        else:
            height, width = int(message.height), int(message.width)
        if height * width > self._max_pixels:
            raise ImageDecodeError(
                f"{source}: image of {width}x{height} pixels is above the limit of {self._max_pixels} pixels"
            )
        if height * width * passes > MAX_PASSES * self._max_pixels:
            raise ImageDecodeError(f"{source}: JPEG of {width}x{height} pixels in {passes} scans, which takes too long")
        return InspectedImage(message, source, height, width, header)

    def decode(
        self, message: Any, target: tuple[int, int] | None = None, source: str | None = None
    ) -> NDArray[np.uint8]:
        """Decodes an image message.

        Args:
            message: `sensor_msgs/Image` or `sensor_msgs/CompressedImage`, live or from a bag.
            target: Wanted (height, width); None keeps the size. Intrinsics scale with the two sides.
            source: Topic, for error messages; the header's frame where None.

        Returns:
            RGB image [height width 3].

        Raises:
            ImageDecodeError: Naming the source, what is wrong and the fix.
        """
        return self.decode_inspected(self.inspect(message, source), target)

    def decode_inspected(self, image: InspectedImage, target: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Decodes an image message that was inspected before; see `decode`."""
        if image.header is not None:
            pixels = decode_compressed(byte_view(image.message.data), image.header, target, image.source)
        else:
            self._warn_about_encoding(str(image.message.encoding), image.source)
            pixels = decode_raw(image.message, image.source)
        return pixels if target is None else resize(pixels, target)

    def _warn_about_encoding(self, encoding: str, source: str) -> None:
        if encoding.startswith("8UC") and source not in self._warned:
            self._warned.add(source)
            logger.warning("%s: encoding %s names no colours; blue, green, red order is assumed", source, encoding)


def decode_image(message: Any, target: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decodes one image message with the default limits; see `ImageDecoder.decode`."""
    return ImageDecoder().decode(message, target)


def resize(image: NDArray[np.uint8], target: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes to exactly (height, width), averaging areas where the image shrinks."""
    height, width = target
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), dtype=np.uint8)


def _is_compressed(message: Any) -> bool:
    return not hasattr(message, "encoding")


def _source_of(message: Any) -> str:
    return str(message.header.frame_id) or "image"
