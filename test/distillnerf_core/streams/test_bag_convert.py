import struct
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_convert import convert_bag
from distillnerf_core.streams.bag_frames import BagFrameSource
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.image_decoding import decode_image
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.mcap_check import MAGIC
from distillnerf_core.streams.protobuf_schema import ProtobufSchema

descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
message_factory = pytest.importorskip("google.protobuf.message_factory")

SECOND = 1_000_000_000
START = 1_532_402_927 * SECOND
LAYOUT = load_layout("nuscenes_lower")
SPEED = 15.0
K = [20.0, 0, 16, 0, 20, 10, 0, 0, 1]
DOUBLE, FIXED32, INT64, INT32, STRING, MESSAGE, BYTES = 1, 7, 3, 5, 9, 11, 12
SCHEMAS: dict[str, list[tuple[str, int, int, str, bool]]] = {
    "Time": [("seconds", 1, INT64, "", False), ("nanos", 2, INT32, "", False)],
    "Vector3": [(axis, number, DOUBLE, "", False) for number, axis in enumerate("xyz", 1)],
    "Quaternion": [(axis, number, DOUBLE, "", False) for number, axis in enumerate("xyzw", 1)],
    "CompressedImage": [
        ("timestamp", 1, MESSAGE, "Time", False),
        ("frame_id", 4, STRING, "", False),
        ("data", 2, BYTES, "", False),
        ("format", 3, STRING, "", False),
    ],
    "CameraCalibration": [
        ("timestamp", 1, MESSAGE, "Time", False),
        ("frame_id", 9, STRING, "", False),
        ("width", 2, FIXED32, "", False),
        ("height", 3, FIXED32, "", False),
        *((name, number, DOUBLE, "", True) for number, name in enumerate("DKRP", 5)),
    ],
    "FrameTransform": [
        ("timestamp", 1, MESSAGE, "Time", False),
        ("parent_frame_id", 2, STRING, "", False),
        ("child_frame_id", 3, STRING, "", False),
        ("translation", 4, MESSAGE, "Vector3", False),
        ("rotation", 5, MESSAGE, "Quaternion", False),
    ],
    "Log": [("text", 1, STRING, "", False)],
}


def _descriptors() -> Any:
    files = descriptor_pb2.FileDescriptorSet()
    file = files.file.add(name="foxglove.proto", package="foxglove", syntax="proto3")
    for name, fields in SCHEMAS.items():
        message = file.message_type.add(name=name)
        for field, number, kind, type_name, repeated in fields:
            target = f".foxglove.{type_name}" if type_name else None
            message.field.add(name=field, number=number, type=kind, type_name=target, label=3 if repeated else 1)
    return files


FILES = _descriptors()
CLASSES = message_factory.GetMessages(list(FILES.file))


def create(kind: str, stamp: int | None = None, **values: Any) -> Any:
    message = CLASSES[f"foxglove.{kind}"](**values)
    if stamp is not None:
        message.timestamp.seconds, message.timestamp.nanos = divmod(stamp, SECOND)
    return message


def write_mcap(path: Path, messages: list[tuple[str, str, int, Any]]) -> Path:
    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    def record(opcode: int, content: bytes) -> bytes:
        return struct.pack("<BQ", opcode, len(content)) + content

    schema = FILES.SerializeToString()
    body = record(1, text("") + text("test"))
    channels: dict[tuple[str, str], int] = {}
    for topic, kind, log, message in messages:
        if (topic, kind) not in channels:
            number = channels[topic, kind] = len(channels) + 1
            names = text(f"foxglove.{kind}") + text("protobuf")
            body += record(3, struct.pack("<H", number) + names + struct.pack("<I", len(schema)) + schema)
            body += record(4, struct.pack("<HH", number, number) + text(topic) + text("protobuf") + bytes(4))
        head = struct.pack("<HIQQ", channels[topic, kind], 0, log, log)
        body += record(5, head + message.SerializeToString())
    path.write_bytes(MAGIC + body + record(0x0F, bytes(4)) + record(2, bytes(20)) + MAGIC)
    return path


def drive(path: Path, jpeg: bytes, cycles: int = 14) -> Path:
    """As nuscenes2mcap writes it: transforms at key frames only, every seventh sweep, and a singular R."""
    messages: list[tuple[str, str, int, Any]] = []
    for cycle in range(cycles):
        start = START + cycle * 75_000_000
        if cycle % 7 in (0, 6):
            moved = {"x": SPEED * (start - START) * 1e-9}
            edges = [("map", "base_link", moved)] + [("base_link", name.lower(), {"x": 1.0}) for name in LAYOUT.names]
            for parent, child, offset in edges:
                values = {"translation": offset, "rotation": {"w": 1.0}}
                edge = create("FrameTransform", start, parent_frame_id=parent, child_frame_id=child, **values)
                messages.append(("/tf", "FrameTransform", start, edge))
        for camera in sorted(LAYOUT.phases_ms, key=LAYOUT.phases_ms.__getitem__):
            stamp, name = start + round(LAYOUT.phases_ms[camera] * 1e6), camera.lower()
            info = create("CameraCalibration", stamp, frame_id=name, width=32, height=20, K=K, R=[1, 0, 0] * 3)
            messages.append((f"/{name}/camera_info", "CameraCalibration", stamp, info))
            image = create("CompressedImage", stamp, frame_id=name, data=jpeg, format="jpeg")
            messages.append((f"/{name}/image_rect_compressed", "CompressedImage", stamp, image))
    messages.append(("/log", "Log", START, create("Log", text="hello")))
    return write_mcap(path, messages)


@pytest.fixture
def jpeg() -> bytes:
    import cv2

    return bytes(cv2.imencode(".jpg", np.full((20, 32, 3), (10, 20, 200), np.uint8))[1].tobytes())


def test_a_converted_recording_gives_compensated_frames(tmp_path: Path, jpeg: bytes) -> None:
    source, target = drive(tmp_path / "foxglove.mcap", jpeg), tmp_path / "ros2.mcap"
    done = convert_bag(source, target)
    assert done.written["sensor_msgs/msg/CompressedImage"] == done.written["sensor_msgs/msg/CameraInfo"] == 84
    assert done.skipped == {"foxglove.Log": 1}
    with BagReader(target) as reader:
        messages = {item.topic: item.message for item in reader.messages()}
    np.testing.assert_array_equal(messages["/cam_front/camera_info"].r.reshape(3, 3), np.eye(3))
    np.testing.assert_allclose(messages["/cam_front/camera_info"].p[:3], K[:3])
    assert messages["/tf_static"].transforms[0].header.frame_id == "base_link"
    np.testing.assert_allclose(decode_image(messages["/cam_back/image_rect_compressed"])[0, 0], (200, 20, 10), atol=4)
    bag = BagFrameSource(target, 10, 16)
    assert bag.stream.layout.name == "nuscenes_lower"
    frames = [item.frame for item in bag]
    assert len(frames) == 14
    for frame in frames:
        assert frame.motion_compensated
        phases = [LAYOUT.phases_ms[name] - LAYOUT.phases_ms["CAM_FRONT"] for name in LAYOUT.names]
        expected = 1.0 + SPEED * 1e-3 * np.array(phases)
        np.testing.assert_allclose(frame.rig.camera_to_ego[:, 0, 3], expected, atol=1e-4)


def test_cut_and_ros_recordings_are_refused(tmp_path: Path, jpeg: bytes) -> None:
    source = drive(tmp_path / "foxglove.mcap", jpeg, 2)
    ros = tmp_path / "ros.mcap"
    convert_bag(source, ros)
    with pytest.raises(BagError, match="nothing to convert"):
        convert_bag(ros, tmp_path / "again.mcap")
    source.write_bytes(source.read_bytes()[:-900])
    with pytest.raises(BagError, match="cut or damaged"):
        convert_bag(source, tmp_path / "cut.mcap")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["foxglove.mcap", "ros.mcap"]


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.floats(allow_nan=False), max_size=12),
    words=st.text(max_size=20),
    width=st.integers(0, 2**32 - 1),
    nanos=st.integers(-(2**31), 2**31 - 1),
)
def test_decoding_equals_the_protobuf_library(numbers: list[float], words: str, width: int, nanos: int) -> None:
    message = create("CameraCalibration", frame_id=words, width=width, D=numbers, K=numbers[:1])
    message.timestamp.nanos = nanos
    decoded = ProtobufSchema(FILES.SerializeToString(), "foxglove.CameraCalibration").decode(
        message.SerializeToString()
    )
    assert decoded.get("frame_id", "") == words
    assert decoded.get("width", 0) == width
    assert decoded.get("D", []) == numbers
    assert decoded.get("K", []) == numbers[:1]
    assert decoded["timestamp"].get("nanos", 0) == nanos


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_damaged_messages_raise_value_errors_only(data: bytes) -> None:
    schema = ProtobufSchema(FILES.SerializeToString(), "foxglove.CameraCalibration")
    try:
        schema.decode(data)
    except ValueError:
        return


def test_damaged_recordings_are_converted_or_refused(tmp_path: Path, jpeg: bytes) -> None:
    whole = drive(tmp_path / "foxglove.mcap", jpeg, cycles=1).read_bytes()
    source, path, target = Random(0), tmp_path / "damaged.mcap", tmp_path / "out.mcap"
    outcomes = []
    for _ in range(25):
        blob = bytearray(whole)
        for _ in range(source.choice((1, 2, 8))):
            blob[source.randrange(len(blob))] = source.choice((0, 1, 8, 0x7F, 0x80, 0xFF, source.randrange(256)))
        path.write_bytes(blob)
        try:
            convert_bag(path, target, overwrite=True)
            outcomes.append(True)
        except BagError as err:
            assert "damaged.mcap" in str(err)
            outcomes.append(False)
    assert 0 < sum(outcomes) < 25


def test_messages_that_nest_without_end_are_refused(tmp_path: Path) -> None:
    files = descriptor_pb2.FileDescriptorSet()
    message = files.file.add(name="loop.proto", package="foxglove", syntax="proto3").message_type.add(
        name="FrameTransform"
    )
    message.field.add(name="again", number=1, type=MESSAGE, type_name=".foxglove.FrameTransform", label=1)
    data = b""
    for _ in range(3000):
        size, length = len(data), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        data = b"\x0a" + length + bytes([size]) + data
    path = write_mcap(
        tmp_path / "loop.mcap", [("/tf", "FrameTransform", START, SimpleNamespace(SerializeToString=lambda: data))]
    )
    schema = FILES.SerializeToString()
    content = path.read_bytes()
    other = files.SerializeToString()
    assert schema in content
    path.write_bytes(content.replace(struct.pack("<I", len(schema)) + schema, struct.pack("<I", len(other)) + other))
    head = path.read_bytes()
    place = head.index(b"\x03", len(MAGIC) + 9)
    (length,) = struct.unpack_from("<Q", head, place + 1)
    changed = struct.pack("<Q", length - len(schema) + len(other))
    path.write_bytes(head[: place + 1] + changed + head[place + 9 :])
    with pytest.raises(BagError, match=r"damaged foxglove\.FrameTransform"):
        convert_bag(path, tmp_path / "out.mcap")
