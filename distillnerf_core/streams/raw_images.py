"""Uncompressed `sensor_msgs/Image` messages to RGB."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import ImageDecodeError
from distillnerf_core.streams.message_fields import byte_view


@dataclass(frozen=True)
class PixelEncoding:
    """Layout of one pixel.

    Attributes:
        channels: Samples stored for each pixel.
        bytes_per_sample: 1 or 2; 16-bit samples keep their upper byte.
        conversion: OpenCV colour conversion to RGB, None where the samples are RGB already.
        even: The layout needs an even width (chroma subsampling) or even sides (colour filter).
    """

    channels: int
    bytes_per_sample: int = 1
    conversion: int | None = None
    even: bool = False


def _encodings() -> dict[str, PixelEncoding]:
    table = {"8UC3": PixelEncoding(3, 1, cv2.COLOR_BGR2RGB), "8UC4": PixelEncoding(4, 1, cv2.COLOR_BGRA2RGB)}
    table["8UC1"] = PixelEncoding(1, 1, cv2.COLOR_GRAY2RGB)
    for bits, size in (("8", 1), ("16", 2)):
        table[f"rgb{bits}"] = PixelEncoding(3, size)
        table[f"bgr{bits}"] = PixelEncoding(3, size, cv2.COLOR_BGR2RGB)
        table[f"rgba{bits}"] = PixelEncoding(4, size, cv2.COLOR_RGBA2RGB)
        table[f"bgra{bits}"] = PixelEncoding(4, size, cv2.COLOR_BGRA2RGB)
        table[f"mono{bits}"] = PixelEncoding(1, size, cv2.COLOR_GRAY2RGB)
        for pattern in ("rggb", "bggr", "gbrg", "grbg"):
            code = getattr(cv2, f"COLOR_Bayer{pattern.upper()}2RGB")
            table[f"bayer_{pattern}{bits}"] = PixelEncoding(1, size, code, even=True)
    for name in ("yuv422", "uyvy"):
        table[name] = PixelEncoding(2, 1, cv2.COLOR_YUV2RGB_UYVY, even=True)
    for name in ("yuv422_yuy2", "yuyv"):
        table[name] = PixelEncoding(2, 1, cv2.COLOR_YUV2RGB_YUYV, even=True)
    return table


ENCODINGS = _encodings()


def decode_raw(message: Any, source: str) -> NDArray[np.uint8]:
    """Decodes a `sensor_msgs/Image`, honouring encoding, row padding and byte order.

    Args:
        message: Image message.
        source: Topic or frame, for error messages.

    Returns:
        RGB image [height width 3].

    Raises:
        ImageDecodeError: Unknown encoding, or sizes that do not fit the data.
    """
    encoding = ENCODINGS.get(str(message.encoding))
    if encoding is None:
        raise ImageDecodeError(
            f"{source}: image encoding {message.encoding!r} is not supported; publish one of {', '.join(ENCODINGS)}"
        )
    samples = _samples(message, encoding, f"{source}: {message.encoding} image")
    if encoding.conversion is None:
        return samples
    try:
        return np.asarray(cv2.cvtColor(samples, encoding.conversion), dtype=np.uint8)
    except cv2.error as err:
        raise ImageDecodeError(f"{source}: cannot convert {message.encoding} to RGB: {err}") from err


def _samples(message: Any, encoding: PixelEncoding, what: str) -> NDArray[np.uint8]:
    height, width = int(message.height), int(message.width)
    _check_shape(height, width, encoding, what)
    row_bytes = width * encoding.channels * encoding.bytes_per_sample
    rows = _rows(message, height, row_bytes, what)
    if encoding.bytes_per_sample == 2:
        rows = rows[:, 0::2] if message.is_bigendian else rows[:, 1::2]
    samples = np.ascontiguousarray(rows)
    return samples.reshape(height, width, encoding.channels) if encoding.channels > 1 else samples


def _check_shape(height: int, width: int, encoding: PixelEncoding, what: str) -> None:
    if height < 1 or width < 1:
        raise ImageDecodeError(f"{what}: width and height must be positive, got {width}x{height}")
    if encoding.even and (width % 2 or (encoding.channels == 1 and height % 2)):
        raise ImageDecodeError(f"{what}: needs even sides, got {width}x{height}; crop the image to even sides")


def _rows(message: Any, height: int, row_bytes: int, what: str) -> NDArray[np.uint8]:
    step, data = int(message.step), byte_view(message.data)
    if step < row_bytes:
        raise ImageDecodeError(f"{what}: step {step} is shorter than a row of pixels; set it to {row_bytes}")
    needed = step * (height - 1) + row_bytes
    if data.size < needed:
        raise ImageDecodeError(
            f"{what}: {height} rows with step {step} need {needed} bytes, got {data.size}; the data was cut "
            "or its height, width or step are wrong"
        )
    if step == row_bytes:
        return data[:needed].reshape(height, step)
    return np.lib.stride_tricks.as_strided(data, (height, row_bytes), (step, 1), writeable=False)
