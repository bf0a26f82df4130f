import itertools
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_reader import BagMessage, BagReader
from distillnerf_core.streams.bag_summary import summarise_bag
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.mcap_check import MAGIC
from distillnerf_core.streams.mcap_scan import McapScanner
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.stamped_transform import StampedTransform, transform_from_message

START = 1_532_402_927_000_000_007
STEP = 100_000_000
DEFINITION = "std_msgs/Header header\nstring[] names\nuint8[] labels\nfloat32 resolution\n"


def write(path: Path, count: int = 20, compress: bool = False) -> Path:
    random = np.random.default_rng(0)
    with BagWriter(path, compress=compress, overwrite=True) as bag:
        for index in range(count):
            stamp = START + index * STEP
            pixels = random.integers(0, 255, (40, 60, 3), dtype=np.uint8)
            bag.write_image("/CAM/image", stamp, "CAM", pixels, "rgb8", log_ns=stamp + 1000)
            bag.write_tf([StampedTransform("map", "base_link", stamp, np.eye(4))], stamp + 2000)
    return path


def read(path: Path) -> list[BagMessage]:
    with BagReader(path) as bag:
        return list(bag.messages())


@pytest.mark.parametrize("name", ["one.mcap", "one.db3", "folder"])
@pytest.mark.parametrize("compress", [False, True])
def test_messages_of_every_kind_round_trip(tmp_path: Path, name: str, compress: bool) -> None:
    path = tmp_path / name
    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    points = np.zeros(5, dtype=[("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("label", "<u2")])
    points["z"] = np.arange(5)
    with BagWriter(path, compress=compress) as bag:
        bag.write_tf([StampedTransform("base_link", "CAM", START, np.eye(4))], START, static=True)
        bag.write_camera_info("/CAM/camera_info", START, "CAM", (6, 8), np.eye(3) * 5)
        bag.write_image("/CAM/image", START, "CAM", pixels, "rgb8", log_ns=START + 5)
        bag.write_compressed_image("/CAM/compressed", START, "CAM", b"\xff\xd8data", log_ns=START + 6)
        bag.write_point_cloud("/points", START, "LIDAR", points, log_ns=START + 7)
    messages = {item.topic: item for item in read(path)}
    assert [item.log_ns - START for item in messages.values()] == [0, 0, 5, 6, 7]
    image = messages["/CAM/image"].message
    np.testing.assert_array_equal(np.asarray(image.data).reshape(6, 8, 3), pixels)
    assert stamp_ns(image.header) == START
    assert bytes(messages["/CAM/compressed"].message.data) == b"\xff\xd8data"
    assert list(messages["/CAM/camera_info"].message.k) == [5, 0, 0, 0, 5, 0, 0, 0, 5]
    assert transform_from_message(messages["/tf_static"].message.transforms[0]).child == "CAM"
    cloud = messages["/points"].message
    np.testing.assert_array_equal(np.frombuffer(bytes(cloud.data), points.dtype), points)
    assert [(field.name, field.offset, field.datatype) for field in cloud.fields][3] == ("label", 12, 4)
    assert (path / "metadata.yaml").is_file() if name == "folder" else path.is_file()
    assert sorted(item.name for item in tmp_path.iterdir()) == [name]


def test_only_the_topics_asked_for_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "bag.mcap")
    with BagReader(path) as bag:
        assert bag.topic_types() == {"/CAM/image": "sensor_msgs/msg/Image", "/tf": "tf2_msgs/msg/TFMessage"}
        assert {item.topic for item in bag.messages(["/tf", "/absent"])} == {"/tf"}
        assert list(bag.messages(["/absent"])) == []
        assert len(list(bag.serialised())) == 40


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_types_of_other_packages_travel_with_their_definition(tmp_path: Path, name: str) -> None:
    path, kind = tmp_path / name, "distillnerf_ros/msg/Grid"
    with BagWriter(path) as bag:
        bag.messages.register(kind, DEFINITION)
        header = bag.messages.header(START, "base_link")
        labels = np.arange(4, dtype=np.uint8)
        bag.write(
            "/grid", kind, bag.messages.create(kind, header=header, names=["car"], labels=labels, resolution=0.4), 1
        )
    (item,) = read(path)
    assert (item.message.names, list(item.message.labels)) == (["car"], [0, 1, 2, 3])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
@pytest.mark.parametrize("compress", [False, True])
def test_a_cut_bag_gives_what_is_readable_and_then_says_how_much(
    tmp_path: Path, share: float, name: str, compress: bool
) -> None:
    path = write(tmp_path / name, 400, compress)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    items: list[BagMessage] = []
    with (
        pytest.raises(BagError, match=f"{name}.*messages were readable|no MCAP file") as caught,
        BagReader(path) as bag,
    ):
        items.extend(bag.messages())
    assert len(items) >= (share - 0.1) * 800 if share > 0.1 else len(items) <= 2
    assert share < 0.01 or f"{len(items)} messages were readable" in str(caught.value)
    with BagReader(path) as bag:
        if share > 0.1:
            assert sum(item.count for item in bag.topics()) == len(items)
            assert bag.damaged or share > 0.99


def test_a_folder_whose_recorder_was_killed_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "bag")
    (path / "metadata.yaml").unlink()
    assert len(read(path)) == 40
    assert summarise_bag(path).topics["/CAM/image"].rate_hz == pytest.approx(10.0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bags_raise_nothing_but_our_error(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["bag.mcap", "bag.db3"]))
    blob = bytearray(_small_bag(tmp_path, name))
    for _ in range(data.draw(st.integers(1, 8))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged_{name}"
    path.write_bytes(bytes(blob[: data.draw(st.integers(1, len(blob)))]))
    try:
        read(path)
        summarise_bag(path)
    except BagError as err:
        assert str(path) in str(err)


def _small_bag(folder: Path, name: str) -> bytes:
    path = folder / f"small_{name}"
    if not path.exists():
        write(path, 3)
    return path.read_bytes()


def _protobuf_mcap() -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    def record(opcode: int, content: bytes) -> bytes:
        return struct.pack("<BQ", opcode, len(content)) + content

    schema = (
        struct.pack("<H", 1)
        + text("foxglove.CompressedImage")
        + text("protobuf")
        + struct.pack("<I", 3)
        + b"\xff\x00\x01"
    )
    channel = (
        struct.pack("<HH", 1, 1) + text("/cam_front/image_rect_compressed") + text("protobuf") + struct.pack("<I", 0)
    )
    message = struct.pack("<HIQQ", 1, 0, START, START) + b"\x0a\x00"
    body = record(1, text("") + text("test")) + record(3, schema) + record(4, channel) + record(5, message)
    return MAGIC + body + record(0x0F, bytes(4)) + record(2, bytes(20)) + MAGIC


def test_protobuf_recordings_are_recognised_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "foxglove.mcap"
    path.write_bytes(_protobuf_mcap())
    with pytest.raises(BagError, match=r"foxglove\.CompressedImage.*distillnerf bag convert"):
        read(path)
    scanner = McapScanner(path)
    assert len(list(scanner.messages())) == 1
    assert not scanner.cut


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag"])
def test_a_part_of_the_time_is_read_and_latched_topics_are_known(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with BagWriter(path) as bag:
        bag.write_tf([StampedTransform("base_link", "CAM", START, np.eye(4))], START, static=True)
        for index in range(1, 5):
            stamp = START + index * STEP
            bag.write_tf([StampedTransform("map", "base_link", stamp, np.eye(4))], stamp)
    with BagReader(path) as bag_reader:
        assert bag_reader.time_range_ns() == (START, START + 4 * STEP)
        assert bag_reader.latched_topics() == {"/tf_static"}
        part = bag_reader.serialised(start_ns=START + 2 * STEP, stop_ns=START + 4 * STEP)
        assert [(item.log_ns - START) // STEP for item in part] == [2, 3]


def test_a_part_of_the_time_of_a_cut_recording_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "bag.mcap", 21)
    path.write_bytes(path.read_bytes()[:-2000])
    with BagReader(path) as bag:
        assert bag.time_range_ns() is None
        assert bag.latched_topics() == set()
        part = bag.serialised(start_ns=START + 3 * STEP, stop_ns=START + 4 * STEP)
        assert [item.log_ns - START - 3 * STEP for item in itertools.islice(part, 2)] == [1000, 2000]


@pytest.mark.parametrize("name", ["absent.mcap", "notes.txt", "empty", "notes.mcap"])
def test_what_is_no_recording_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name.startswith("notes"):
        path.write_text("hello")
    with pytest.raises(BagError, match=name):
        read(path)


def test_existing_recordings_are_kept_unless_asked(tmp_path: Path) -> None:
    for name in ("bag.mcap", "bag"):
        path = write(tmp_path / name, 2)
        with pytest.raises(BagError, match="exists already"), BagWriter(path):
            pass
        write(path, 3)
        assert len(read(path)) == 6


def test_a_failure_leaves_neither_a_half_bag_nor_litter(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with pytest.raises(BagError, match="no sensor_msgs/msg/Image"), BagWriter(path) as bag:
        bag.write("/CAM/image", "sensor_msgs/msg/Image", object(), START)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BagError, match="not open"):
        bag.write_serialised("/CAM/image", "sensor_msgs/msg/Image", b"", START)


def test_a_full_disk_is_reported_and_the_old_bag_survives(tmp_path: Path) -> None:
    path = write(tmp_path / "bag.mcap", 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(BagError, match="check free space"):
            write(path, 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(read(path)) == 4
    assert [item.name for item in tmp_path.iterdir()] == ["bag.mcap"]


def test_the_summary_lists_topics_rates_frames_and_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "bag.mcap", 21)
    summary = summarise_bag(path)
    assert summary.transforms == (("map", "base_link"),)
    assert summary.duration_s == pytest.approx(2.0, abs=1e-3)
    assert (summary.layout, summary.cameras, summary.problems) == ("", (), ())
    path.write_bytes(path.read_bytes()[:-2000])
    assert "cut or damaged" in summarise_bag(path).problems[0]
