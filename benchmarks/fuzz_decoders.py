"""Feeds damaged bytes to everything that reads bytes of strangers: images, messages, recordings, calibrations.

    python benchmarks/fuzz_decoders.py image --seconds 120       with atheris, guided by coverage
    python benchmarks/fuzz_decoders.py all --mutations 5000      without it: seeded mutations of good examples

A finding is anything but the package's own errors. atheris is no dependency; install it in an environment of its own.
"""

import argparse
import importlib
import logging
import multiprocessing
import random
import runpy
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from distillnerf_core.errors import DistillNerfError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.calibration_book import CalibrationBook, read_calibration_file
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_core.streams.transform_buffer import TransformBuffer

SIZE = (12, 22)
MAX_PIXELS = 4_000_000
FACTORY = MessageFactory()
WORK = Path(tempfile.mkdtemp(prefix="fuzz"))
_HEAD_BYTES = 200
_WATCHED = ("distillnerf_core.streams", "rosbags")
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xD8, 0xC0, 0xD0, 0xDA)


def image(data: bytes) -> None:
    """A JPEG or PNG file in a CompressedImage."""
    message = SimpleNamespace(header=FACTORY.header(1, "camera"), format="jpeg", data=data)
    ImageDecoder(MAX_PIXELS).decode(message, SIZE)


def raw_image(data: bytes) -> None:
    """The CDR bytes of an Image."""
    message = _message(data, "sensor_msgs/msg/Image")
    if message is not None:
        ImageDecoder(MAX_PIXELS).decode(message, SIZE)


def camera_info(data: bytes) -> None:
    """The CDR bytes of a CameraInfo, up to the maps that straighten images."""
    message = _message(data, "sensor_msgs/msg/CameraInfo")
    if message is None:
        return
    book = CalibrationBook({"camera": False})
    book.take("camera", message, "/camera_info")
    calibration = book.calibration("camera")
    assert calibration is not None
    view = CameraView("camera", calibration, SIZE, 110.0, None)
    assert np.isfinite(view.intrinsics).all()


def transforms(data: bytes) -> None:
    """The CDR bytes of a TFMessage, and what a look-up makes of it."""
    message = _message(data, "tf2_msgs/msg/TFMessage")
    if message is None:
        return
    buffer = TransformBuffer()
    try:
        buffer.add_message(message)
    finally:
        for frame in sorted(buffer.frames)[:20]:
            if buffer.connected("map", frame):
                assert np.isfinite(buffer.lookup_latest("map", frame)).all()


def mcap(data: bytes) -> None:
    """An MCAP file."""
    _read_bag(WORK / "bag.mcap", data)


def sqlite(data: bytes) -> None:
    """A rosbag2 file of SQLite."""
    _read_bag(WORK / "bag.db3", data)


def calibration(data: bytes) -> None:
    """A calibration file."""
    path = WORK / "calibration.json"
    path.write_bytes(data)
    for read in read_calibration_file(path).values():
        CameraView("camera", read, SIZE, 110.0, None)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (image, raw_image, camera_info, transforms, mcap, sqlite, calibration)
}


def check(target: str, data: bytes) -> bool:
    """Runs one input; returns whether it was accepted, and raises whatever is no error of the package's own."""
    try:
        TARGETS[target](data)
    except DistillNerfError:
        return False
    return True


def seeds(target: str) -> list[bytes]:
    """Good examples to start from."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 44, 3), dtype=np.uint8)
    matrix = np.array([[30.0, 0.0, 22.0], [0.0, 30.0, 12.0], [0.0, 0.0, 1.0]])
    if target == "image":
        progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
        kinds: list[tuple[str, list[int]]] = [(".jpg", []), (".jpg", progressive), (".png", [])]
        return [cv2.imencode(kind, pixels, options)[1].tobytes() for kind, options in kinds]
    if target == "raw_image":
        messages = [
            FACTORY.image(1, "camera", pixels, "bgr8"),
            FACTORY.image(1, "camera", pixels[..., 0], "bayer_rggb8"),
        ]
        return [_cdr(message, "sensor_msgs/msg/Image") for message in messages]
    if target == "camera_info":
        models = [("plumb_bob", (-0.2, 0.1, 0.0, 0.0, 0.0)), ("equidistant", (0.1, 0.0, 0.0, 0.0))]
        infos = [
            FACTORY.camera_info(1, "camera", (24, 44), matrix, distortion=values, distortion_model=model)
            for model, values in models
        ]
        return [_cdr(message, "sensor_msgs/msg/CameraInfo") for message in infos]
    if target == "transforms":
        edges = [StampedTransform("map", "base_link", 1, np.eye(4)), StampedTransform("base_link", "c", 1, np.eye(4))]
        return [_cdr(FACTORY.transforms(edges), "tf2_msgs/msg/TFMessage")]
    if target == "calibration":
        return [
            b'{"cameras": {"A": {"width": 44, "height": 24, "K": [[30,0,22],[0,30,12],[0,0,1]], '
            b'"distortion": [0.1, 0, 0, 0], "distortion_model": "equidistant"}}}'
        ]
    return _bags(pixels, matrix, ".mcap" if target == "mcap" else ".db3")


def mutate(source: random.Random, data: bytes) -> bytes:
    """Damages an example: bytes, whole lengths, cuts, repeated and swapped pieces."""
    blob = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        place = source.randrange(max(1, min(len(blob), source.choice((_HEAD_BYTES, len(blob))))))
        kind = source.randrange(6)
        if kind == 0:
            blob[place : place + 1] = bytes([source.randrange(256)])
        elif kind == 1:
            blob[place : place + 1] = bytes([source.choice(_INTERESTING)])
        elif kind == 2:
            width = source.choice(["<H", ">H", "<I", ">I", "<Q"])
            size = struct.calcsize(width)
            number = source.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 65500)) % 2 ** (8 * size)
            blob[place : place + size] = struct.pack(width, number)
        elif kind == 3:
            del blob[place:]
        elif kind == 4:
            del blob[place : place + source.randrange(1, 32)]
        else:
            blob[place:place] = blob[place : place + source.randrange(1, 32)]
    return bytes(blob)


def mutations(target: str, count: int, seed: int = 0) -> tuple[int, float]:
    """Runs seeded mutations; returns how many were accepted, and the CPU seconds of the slowest."""
    source, examples = random.Random(f"{target} {seed}"), seeds(target)
    accepted, slowest = 0, 0.0
    for _ in range(count):
        data = mutate(source, source.choice(examples))
        start = time.process_time()
        try:
            accepted += check(target, data)
        except Exception:
            (WORK / "finding").write_bytes(data)
            raise
        slowest = max(slowest, time.process_time() - start)
    return accepted, slowest


def guided(target: str, seconds: int) -> None:
    """Runs atheris in this process, which it ends."""
    atheris = importlib.import_module("atheris")

    for name in [name for name in sys.modules if name.startswith(_WATCHED)]:
        del sys.modules[name]
    with atheris.instrument_imports(include=list(_WATCHED)):
        fresh = runpy.run_path(__file__)

    def run(data: bytes) -> None:
        fresh["check"](target, data)

    corpus = WORK / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(data)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=3000", "-timeout=20", "-max_len=20000", str(corpus)]
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, help="time for each target, with atheris")
    parser.add_argument("--mutations", type=int, default=2000, help="seeded mutations of each target, without atheris")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for target in TARGETS if options.target == "all" else [options.target]:
        if options.seconds:
            process = multiprocessing.get_context("fork").Process(target=guided, args=(target, options.seconds))
            process.start()
            process.join()
            print(f"{target}: {'no finding' if process.exitcode == 0 else f'exit status {process.exitcode}'}")
        else:
            accepted, slowest = mutations(target, options.mutations)
            print(f"{target:12s} {options.mutations} mutations, {accepted} accepted, slowest {1e3 * slowest:.0f} ms")


def _message(data: bytes, kind: str) -> Any | None:
    """Returns the message, None where the library refuses it as `BagReader` passes on as its own error."""
    try:
        return FACTORY.typestore.deserialize_cdr(data, kind)
    except Exception:  # as in BagReader: generated code raises whatever damaged bytes lead to
        return None


def _cdr(message: Any, kind: str) -> bytes:
    return bytes(FACTORY.typestore.serialize_cdr(message, kind))


def _read_bag(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with BagReader(path) as bag:
        bag.topics()
        for number, _ in enumerate(bag.messages()):
            if number > 1000:
                break


def _bags(pixels: Any, matrix: Any, suffix: str) -> list[bytes]:
    found = []
    for compress in (False, True):
        path = WORK / f"seed{compress}{suffix}"
        with BagWriter(path, overwrite=True, compress=compress) as bag:
            for stamp in (1, 2, 3):
                bag.write_image("/camera/image", stamp, "camera", pixels[:4, :4], "bgr8")
                bag.write_camera_info("/camera/camera_info", stamp, "camera", (24, 44), matrix)
                bag.write_tf([StampedTransform("map", "base_link", stamp, np.eye(4))], stamp)
        found.append(path.read_bytes())
    return found


if __name__ == "__main__":
    main()
