"""Messages with any content give a frame or one of our errors, and memory stays within limits."""

import tracemalloc
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.errors import CalibrationError, ImageDecodeError
from distillnerf_core.streams.calibration_book import CalibrationBook
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.raw_images import ENCODINGS
from distillnerf_core.streams.stream_config import StreamConfig

FACTORY = MessageFactory()
START = 1_532_402_927_000_000_000
SIZE = (12, 22)
K = [30.0, 0, 22, 0, 30.0, 12, 0, 0, 1]
WILD = st.floats() | st.sampled_from([0.0, 1.0, -1.0, 30.0, 5e-324, 1e-9, 1e9, 1e300, float("nan")])
UINT32 = st.integers(0, 2**32 - 1) | st.integers(0, 100)


@settings(max_examples=150)
@given(
    changes=st.dictionaries(st.integers(0, 8), WILD, max_size=3),
    projection=st.lists(WILD, min_size=12, max_size=12) | st.just([30.0, 0, 22, 0, 0, 30.0, 12, 0, 0, 0, 1, 0]),
    distortion=st.lists(WILD | st.floats(-1, 1), max_size=15),
    model=st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant", "fisheye", "", "x" * 10_000]),
    rotation=st.just(np.eye(3).reshape(9).tolist()) | st.lists(WILD, min_size=9, max_size=9),
    sizes=st.just((24, 44, 0, 0, 0, 0, 0, 0)) | st.tuples(*[UINT32] * 8),
    rectified=st.booleans(),
)
def test_any_camera_info_gives_a_finite_view_or_our_error(
    changes: dict[int, float],
    projection: list[float],
    distortion: list[float],
    model: str,
    rotation: list[float],
    sizes: tuple[int, ...],
    rectified: bool,
) -> None:
    message = FACTORY.camera_info(1, "camera", (24, 44), np.array(K).reshape(3, 3))
    message.k = np.array([changes.get(index, value) for index, value in enumerate(K)])
    message.p, message.d, message.r = np.array(projection), np.array(distortion), np.array(rotation)
    message.distortion_model = model
    height, width, message.binning_x, message.binning_y, *region = sizes
    message.height, message.width = height, width
    x, y, roi_height, roi_width = region
    message.roi = SimpleNamespace(x_offset=x, y_offset=y, height=roi_height, width=roi_width)
    book = CalibrationBook({"camera": rectified})
    try:
        book.take("camera", message, "/camera_info")
        calibration = book.calibration("camera")
        assert calibration is not None
        view = CameraView("camera", calibration, SIZE, 110.0, None)
    except CalibrationError as err:
        assert len(str(err)) < 1000
        return
    assert np.isfinite(view.intrinsics.astype(np.float32)).all()
    assert view.intrinsics[0, 0] > 0
    assert view.intrinsics[1, 1] > 0


@given(
    height=UINT32,
    width=UINT32,
    step=UINT32,
    encoding=st.sampled_from(sorted(ENCODINGS)) | st.text(max_size=10),
    big=st.integers(0, 255),
    count=st.integers(0, 4000),
)
def test_any_image_is_decoded_or_refused(
    height: int, width: int, step: int, encoding: str, big: int, count: int
) -> None:
    message = SimpleNamespace(
        header=FACTORY.header(1, "camera"),
        height=height,
        width=width,
        step=step,
        encoding=encoding,
        is_bigendian=big,
        data=np.zeros(count, np.uint8),
    )
    try:
        assert ImageDecoder(1_000_000).decode(message, SIZE).shape == (*SIZE, 3)
    except ImageDecodeError as err:
        assert len(str(err)) < 1500


def test_a_step_that_wraps_around_is_refused() -> None:
    message = SimpleNamespace(
        header=FACTORY.header(1, "camera"),
        height=2**31,
        width=1,
        step=2**32 - 1,
        encoding="rgb8",
        is_bigendian=0,
        data=np.zeros(100, np.uint8),
    )
    with pytest.raises(ImageDecodeError, match="above the limit"):
        ImageDecoder().decode(message, SIZE)
    message.height = 10**6
    with pytest.raises(ImageDecodeError, match="need 4294963000032708"):
        ImageDecoder().decode(message, SIZE)


def wild_stamp(random: Random, now: int) -> int:
    return random.choice([now, now, 0, 1, now + 10**16, now - 10**16, 2**62, now + random.randrange(10**9)])


def give(stream: FrameStream, random: Random, count: int) -> None:
    """Images at 1 kHz with stamps of every kind, CameraInfo that changes, transforms of ever new frames."""
    names = stream.layout.names
    for step in range(count):
        now = START + step * 1_000_000
        camera = random.choice(names)
        stream.add_image(
            camera,
            FACTORY.image(wild_stamp(random, now) % 2**62, camera, np.zeros((240, 176, 3), np.uint8), "rgb8"),
            now,
        )
        matrix = np.array([[30.0 + step * 1e-6, 0, 22], [0, 30.0, 12], [0, 0, 1]])
        stream.add_camera_info(camera, FACTORY.camera_info(1, f"frame{step}", (24, 44), matrix))
        for parent, child in (("map", "base_link"), ("base_link", f"frame{step % 40}")):
            stamp = max(1, wild_stamp(random, now))
            stream.transforms.add(parent, child, stamp, np.eye(4))
        stream.poll(now)


def test_nothing_grows_under_a_thousand_images_a_second_with_wild_stamps() -> None:
    stream, random = FrameStream(load_layout("nuscenes_upper"), StreamConfig()), Random(0)
    give(stream, random, 200)
    tracemalloc.start()
    try:
        give(stream, random, 100)
        before, _ = tracemalloc.get_traced_memory()
        give(stream, random, 400)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000  # of more than 50 MB that were given
    private: Any = stream
    assert len(private.synchroniser._pending) <= 32
    assert len(private._waiting) <= 16
    assert stream.synchroniser.sweeps.resets > 0
