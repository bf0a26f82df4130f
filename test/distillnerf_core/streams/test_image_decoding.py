import contextlib
import logging
from array import array
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distillnerf_core.errors import ImageDecodeError
from distillnerf_core.streams.compressed_images import CompressedHeader, reduced_scale
from distillnerf_core.streams.image_decoding import ImageDecoder, decode_image
from distillnerf_core.streams.raw_images import ENCODINGS

HEADER = SimpleNamespace(frame_id="CAM_FRONT", stamp=SimpleNamespace(sec=1, nanosec=0))


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Smooth RGB with a red left and a blue right half, so that demosaicing is nearly exact."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = np.clip(220 - 200 * columns / width, 0, 255)
    green = 60 + 100 * rows / height
    blue = np.clip(20 + 200 * columns / width, 0, 255)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def raw(pixels: NDArray[Any], encoding: str, *, padding: int = 0, big: bool = False) -> SimpleNamespace:
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(
        header=HEADER,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big),
        step=padded.shape[1],
        data=padded.tobytes(),
    )


def compressed(data: bytes, name: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(header=HEADER, format=name, data=data)


def encode(image: NDArray[np.uint8], extension: str) -> bytes:
    return bytes(cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())


def mosaic(image: NDArray[np.uint8], pattern: str) -> NDArray[np.uint8]:
    channel = {"r": 0, "g": 1, "b": 2}
    cells = np.empty(image.shape[:2], dtype=np.uint8)
    for index, colour in enumerate(pattern):
        row, column = divmod(index, 2)
        cells[row::2, column::2] = image[row::2, column::2, channel[colour]]
    return cells


def chroma_422(image: NDArray[np.uint8], luma_first: bool) -> NDArray[np.uint8]:
    """BT.601 studio range, from the definition rather than from OpenCV."""
    r, g, b = (image[..., index].astype(float) for index in range(3))
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    chroma = np.where(np.arange(image.shape[1]) % 2 == 0, u, np.roll(v, 1, axis=1))
    pair = (y, chroma) if luma_first else (chroma, y)
    return np.asarray(np.clip(np.stack(pair, axis=-1).round(), 0, 255), dtype=np.uint8)


@pytest.mark.parametrize("padding", [0, 13])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "8UC3", "8UC4"])
def test_colour_orders_are_exact_and_never_swapped(encoding: str, padding: int) -> None:
    image = picture()
    stored = image if encoding.startswith("rgb") else image[..., ::-1]
    if encoding in ("rgba8", "bgra8", "8UC4"):
        stored = np.concatenate([stored, np.full((*image.shape[:2], 1), 9, np.uint8)], axis=-1)
    np.testing.assert_array_equal(decode_image(raw(stored, encoding, padding=padding)), image)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16", "mono16"])
def test_sixteen_bits_keep_the_upper_byte_of_either_byte_order(encoding: str, big: bool) -> None:
    image = picture()
    stored = image if encoding.startswith("rgb") else image[..., ::-1]
    if "a16" in encoding:
        stored = np.concatenate([stored, stored[..., :1]], axis=-1)
    if encoding == "mono16":
        stored = image[..., :1]
    samples = (stored.astype(np.uint16) << 8 | 0x5A).astype(">u2" if big else "<u2")
    expected = np.repeat(image[..., :1], 3, axis=-1) if encoding == "mono16" else image
    np.testing.assert_array_equal(decode_image(raw(samples, encoding, padding=2, big=big)), expected)


def test_mono_images_become_grey() -> None:
    grey = picture()[..., 1]
    for encoding in ("mono8", "8UC1"):
        np.testing.assert_array_equal(decode_image(raw(grey, encoding)), np.repeat(grey[..., None], 3, axis=-1))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_patterns_restore_smooth_colours(pattern: str, bits: int) -> None:
    image = picture()
    cells: NDArray[Any] = mosaic(image, pattern)
    if bits == 16:
        cells = (cells.astype(np.uint16) << 8).astype("<u2")
    restored = decode_image(raw(cells, f"bayer_{pattern}{bits}", padding=4))
    difference = np.abs(restored[2:-2, 2:-2].astype(int) - image[2:-2, 2:-2])
    assert difference.max() <= 6


@pytest.mark.parametrize(
    ("encoding", "luma_first"), [("yuv422", False), ("uyvy", False), ("yuv422_yuy2", True), ("yuyv", True)]
)
def test_chroma_subsampled_images_match_the_definition(encoding: str, luma_first: bool) -> None:
    image = picture()
    restored = decode_image(raw(chroma_422(image, luma_first), encoding, padding=6))
    assert np.abs(restored.astype(int) - image).max() <= 8


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_compressed_images_keep_their_colours(extension: str) -> None:
    image = picture()
    restored = decode_image(compressed(encode(image, extension), "rgb8; jpeg compressed bgr8"))
    assert np.abs(restored.astype(int) - image).max() <= (0 if extension == ".png" else 12)


@pytest.mark.parametrize(("target", "scale"), [((112, 200), 8), ((113, 200), 4), ((225, 400), 4), ((226, 400), 2)])
def test_reduced_scale_is_the_smallest_that_divides_the_image(target: tuple[int, int], scale: int) -> None:
    header = CompressedHeader("jpeg", 1600 * 9 // 16, 1600)
    expected = 4 if scale == 8 else scale  # 900 rows are no multiple of 8
    assert reduced_scale(header, target) == expected
    assert reduced_scale(CompressedHeader("jpeg", 1024, 2048), (128, 256)) == 8
    assert reduced_scale(CompressedHeader("png", 1024, 2048), (128, 256)) == 1
    assert reduced_scale(header, None) == 1


def test_reduced_decoding_equals_full_decoding_and_area_average() -> None:
    image = picture(360, 640)
    data = encode(image, ".jpg")
    small = decode_image(compressed(data), (80, 128))
    reference = cv2.resize(decode_image(compressed(data)), (128, 80), interpolation=cv2.INTER_AREA)
    assert small.shape == (80, 128, 3)
    assert np.abs(small.astype(int) - reference).max() <= 3


def test_enlarging_and_same_size() -> None:
    image = picture()
    assert decode_image(raw(image, "rgb8"), (96, 128)).shape == (96, 128, 3)
    np.testing.assert_array_equal(decode_image(raw(image, "rgb8"), image.shape[:2]), image)


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_truncated_files_are_refused_and_name_the_source(cut: float, extension: str) -> None:
    data = encode(np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8), extension)
    with pytest.raises(ImageDecodeError, match="CAM_FRONT"):
        decode_image(compressed(data[: int(len(data) * cut)]))


def test_truncated_jpeg_with_a_whole_thumbnail_is_refused() -> None:
    thumbnail = encode(picture(8, 8), ".jpg")
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    data = encode(picture(), ".jpg")
    with_thumbnail = data[:2] + segment + data[2:]
    assert decode_image(compressed(with_thumbnail)).shape == (48, 64, 3)
    with pytest.raises(ImageDecodeError, match="truncated JPEG"):
        decode_image(compressed(with_thumbnail[:-200]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "32FC1"}, "not supported; publish one of"),
        ({"encoding": ""}, "not supported"),
        ({"step": 10}, "set it to 192"),
        ({"data": b"123"}, "the data was cut"),
        ({"height": 4000}, "the data was cut"),
        ({"width": 0}, "must be positive"),
        ({"width": 100_000, "height": 100_000}, "above the limit"),
    ],
)
def test_wrong_fields_are_refused_with_the_fix(change: dict[str, Any], words: str) -> None:
    message = raw(picture(), "rgb8")
    message.__dict__.update(change)
    with pytest.raises(ImageDecodeError, match=words):
        decode_image(message)


def test_odd_sides_of_subsampled_encodings_are_refused() -> None:
    for encoding in ("yuv422", "bayer_rggb8"):
        channels = ENCODINGS[encoding].channels
        with pytest.raises(ImageDecodeError, match="even sides"):
            decode_image(raw(np.zeros((4, 5, channels), np.uint8), encoding))


def test_giant_compressed_header_is_refused_before_decoding() -> None:
    data = bytearray(encode(picture(), ".png"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(ImageDecodeError, match="above the limit"):
        decode_image(compressed(bytes(data)))


def test_nameless_colour_order_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    decoder = ImageDecoder()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            decoder.decode(raw(picture(), "8UC3"), source="/nuscenes/CAM_FRONT/image")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "/nuscenes/CAM_FRONT/image" in caplog.text


@settings(max_examples=150, deadline=None)
@given(
    prefix=st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\x89PNG\r\n\x1a\n"]), tail=st.binary(max_size=200)
)
def test_no_bytes_make_the_decoder_fail_otherwise(prefix: bytes, tail: bytes) -> None:
    with contextlib.suppress(ImageDecodeError):
        decode_image(compressed(prefix + tail))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_jpegs_decode_or_are_refused(data: st.DataObject) -> None:
    blob = bytearray(encode(picture(), ".jpg"))
    for _ in range(data.draw(st.integers(1, 6))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageDecodeError):
        assert decode_image(compressed(bytes(blob)), (24, 32)).shape == (24, 32, 3)


@settings(max_examples=200, deadline=None)
@given(
    encoding=st.sampled_from([*ENCODINGS, "nonsense"]),
    height=st.integers(-2, 9),
    width=st.integers(-2, 9),
    step=st.integers(0, 80),
    big=st.booleans(),
    data=st.binary(max_size=400),
)
def test_no_fields_make_the_raw_decoder_fail_otherwise(
    encoding: str, height: int, width: int, step: int, big: bool, data: bytes
) -> None:
    message = SimpleNamespace(
        header=HEADER, encoding=encoding, height=height, width=width, step=step, is_bigendian=big, data=data
    )
    with contextlib.suppress(ImageDecodeError):
        assert decode_image(message).shape == (height, width, 3)


def test_live_ros_messages_decode_like_those_from_bags() -> None:
    messages = pytest.importorskip("sensor_msgs.msg", exc_type=ImportError)
    image = picture()
    live = messages.Image(height=48, width=64, encoding="bgr8", step=192)
    live.data = array("B", np.ascontiguousarray(image[..., ::-1]).tobytes())
    live.header.frame_id = "CAM_FRONT"
    np.testing.assert_array_equal(decode_image(live), image)
    live = messages.CompressedImage(format="png")
    live.data = array("B", encode(image, ".png"))
    np.testing.assert_array_equal(decode_image(live), image)
