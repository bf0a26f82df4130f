"""Point clouds of any driver are read alike; contradicting ones are refused by name before memory is taken."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distillnerf_core.errors import DataError
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.point_clouds import CLOUD_TYPE, PointTimes, lidar_topic, read_point_cloud

FACTORY = MessageFactory()
STAMP = 1_700_000_000_123_456_789
XYZ = np.array([[1.0, 2.0, 3.0], [-4.0, 5.5, 0.25], [0.0, 0.0, -7.0], [8.0, 0.5, 1.0]])
OFFSETS_NS = np.array([0, 1_000, 50_000_000, 99_000_000])
UINT32 = st.integers(0, 2**32 - 1) | st.integers(0, 100)


def cloud(fields: list[tuple[Any, ...]], step: int, **values: Any) -> Any:
    """A message of the four points; fields are (name, type, offset), further fields get their values by name."""
    names, formats, offsets = zip(*fields, strict=True)
    layout: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": step}
    points: NDArray[Any] = np.zeros(4, dtype=np.dtype(layout))
    for axis, name in enumerate("xyz"):
        points[name] = XYZ[:, axis]
    for name, content in values.items():
        points[name] = content
    return FACTORY.point_cloud(STAMP, "lidar", points)


def plain(*more: tuple[str, str], **values: Any) -> Any:
    fields, offset = [], 0
    for name, kind in [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), *more]:
        fields.append((name, kind, offset))
        offset += np.dtype(kind).itemsize
    return cloud(fields, offset, **values)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [1, 2])
def test_any_layout_gives_the_same_points(kind: str, order: str, rows: int) -> None:
    code = order + kind
    message = cloud([("z", code, 5), ("intensity", order + "u2", 3), ("x", code, 29), ("y", code, 15)], 40)
    message.is_bigendian = order == ">"
    message.height, message.width = rows, 4 // rows
    padded = np.zeros((rows, 160 // rows + 7), dtype=np.uint8)
    padded[:, : 160 // rows] = message.data.reshape(rows, -1)
    message.data, message.row_step = padded.reshape(-1), padded.shape[1]
    read = read_point_cloud(message, "/points")
    np.testing.assert_array_equal(read.points_m, XYZ)
    assert (read.frame, read.stamp_ns) == ("lidar", STAMP)
    assert (read.rings == -1).all() and (read.stamps_ns == STAMP).all()


def test_what_is_no_measurement_is_left_out() -> None:
    message = plain(("ring", "<u2"), ring=[1, 2, 3, 4])
    points = message.data.view(plain(("ring", "<u2")).data.dtype).copy()
    records = points.view(np.dtype({"names": ["x", "y", "z"], "formats": ["<f4"] * 3, "itemsize": 14}))
    records["x"][0], records["y"][1] = np.nan, np.inf
    for name in "xyz":
        records[name][2] = 0.0
    message.data = points
    read = read_point_cloud(message, "/points")
    np.testing.assert_array_equal(read.points_m, XYZ[3:])
    assert read.rings.tolist() == [4]


@pytest.mark.parametrize("name", ["time", "t", "timestamp", "time_stamp", "offset_time"])
@pytest.mark.parametrize(
    ("kind", "unit", "absolute", "error_ns"),
    [
        ("<f4", 1e-9, False, 10),
        ("<f8", 1e-9, False, 1),
        ("<u4", 1, False, 0),
        ("<i4", 1, False, 0),
        ("<f8", 1e-9, True, 250),
        ("<f8", 1e-6, True, 250_000),
        ("<f8", 1e-3, True, 250),
        ("<f8", 1, True, 250),
    ],
)
def test_times_of_every_encoding(name: str, kind: str, unit: float, absolute: bool, error_ns: int) -> None:
    times = (OFFSETS_NS + STAMP * absolute) * unit
    read = read_point_cloud(plain((name, kind), **{name: times}), "/points")
    assert np.abs(read.stamps_ns - STAMP - OFFSETS_NS).max() <= error_ns
    off: PointTimes = "off"
    assert (read_point_cloud(plain((name, kind), **{name: times}), "/points", off).stamps_ns == STAMP).all()


def test_times_before_the_stamp_count_too() -> None:
    read = read_point_cloud(plain(("time", "<f4"), time=-OFFSETS_NS * 1e-9), "/points")
    assert np.abs(read.stamps_ns - STAMP + OFFSETS_NS).max() <= 10


@pytest.mark.parametrize(
    ("kind", "time", "words"),
    [
        ("<f8", 1_600_000_000.0, "stamp both by one clock"),
        ("<u4", 4_000_000_000, r"4 s from the stamp.*point_times"),
        ("<f4", np.nan, "not finite"),
        ("<f8", 1e300, "not finite"),
        ("<u2", 5, "a time of type u2 is not known"),
    ],
)
def test_times_of_another_clock_are_refused(kind: str, time: float, words: str) -> None:
    with pytest.raises(DataError, match=rf"/points, field t.*{words}"):
        read_point_cloud(plain(("t", kind), t=[time] * 4), "/points")


@pytest.mark.parametrize(("name", "kind"), [("ring", "<u2"), ("line", "u1"), ("channel", "<u2"), ("ring", "<i4")])
def test_beams_of_every_name(name: str, kind: str) -> None:
    assert read_point_cloud(plain((name, kind), **{name: [3, 0, 31, 7]}), "/points").rings.tolist() == [3, 0, 31, 7]


def test_beams_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="/points: field ring does not hold numbers of beams"):
        read_point_cloud(plain(("ring", "<u4"), ring=70_000), "/points")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 5}, "need 60 bytes, but there are 48"),
        ({"height": 2**32 - 1, "width": 2**32 - 1}, "above the limit of 10000000"),
        ({"height": 2, "width": 2, "row_step": 23}, "rows of 23 bytes"),
        ({"point_step": 2**32 - 1, "width": 1}, "4294967295 bytes"),
        ({"point_step": 0}, "does not fit a point of 0 bytes"),
        ({"point_step": 11}, "field z of type 7, 1 numbers at byte 8"),
        ({"fields": []}, "fields x, y and z"),
    ],
)
def test_contradicting_sizes_are_refused_by_name(changes: dict[str, Any], words: str) -> None:
    message = plain()
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(DataError, match=f"^/points: .*{words}"):
        read_point_cloud(message, "/points")


def test_fields_that_are_no_coordinates_are_refused() -> None:
    message = plain()
    message.fields[1].datatype = 4
    with pytest.raises(DataError, match="float32 or float64"):
        read_point_cloud(message, "/points")
    message.fields[1].datatype, message.fields[1].count = 7, 2**31
    with pytest.raises(DataError, match="field y of type 7, 2147483648 numbers"):
        read_point_cloud(message, "/points")


@settings(max_examples=200)
@given(
    sizes=st.tuples(*[UINT32] * 4),
    offsets=st.tuples(*[UINT32] * 5),
    types=st.tuples(*[st.integers(0, 255) | st.sampled_from([5, 6, 7, 8])] * 5),
    counts=st.tuples(*[st.integers(0, 3) | UINT32] * 5),
    big=st.booleans(),
    data=st.binary(max_size=400),
)
def test_any_cloud_gives_finite_points_or_our_error(
    sizes: tuple[int, ...],
    offsets: tuple[int, ...],
    types: tuple[int, ...],
    counts: tuple[int, ...],
    big: bool,
    data: bytes,
) -> None:
    message = plain(("t", "<f8"), ("ring", "<u2"))
    message.height, message.width, message.point_step, message.row_step = sizes
    for field, offset, kind, count in zip(message.fields, offsets, types, counts, strict=True):
        field.offset, field.datatype, field.count = offset, kind, count
    message.is_bigendian, message.data = big, np.frombuffer(data, dtype=np.uint8)
    tracemalloc.start()
    try:
        read = read_point_cloud(message, "/points")
        assert np.isfinite(read.points_m).all()
        assert len(read.points_m) == len(read.stamps_ns) == len(read.rings)
    except DataError as err:
        assert str(err).startswith("/points") and len(str(err)) < 500
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("topics", "wanted", "expected"),
    [
        ([], "auto", ""),
        (["/points"], "auto", "/points"),
        (["/points"], "", ""),
        (["/radar", "/LIDAR_TOP"], "auto", "/LIDAR_TOP"),
        (["/lidar/left", "/lidar/top"], "auto", "/lidar/top"),
        (["/lidar/left", "/lidar/top"], "/lidar/left", "/lidar/left"),
    ],
)
def test_the_topic_of_the_lidar(topics: list[str], wanted: str, expected: str) -> None:
    kinds = dict.fromkeys(topics, CLOUD_TYPE) | {"/odom": "nav_msgs/msg/Odometry"}
    assert lidar_topic(kinds, wanted) == expected


@pytest.mark.parametrize(
    ("topics", "wanted", "words"),
    [
        (["/a", "/b"], "auto", "several point clouds: /a, /b; set lidar_topic"),
        (["/a"], "/b", "on /b: /a"),
        ([], "/b", "none there"),
    ],
)
def test_an_unclear_topic_is_refused(topics: list[str], wanted: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        lidar_topic(dict.fromkeys(topics, CLOUD_TYPE), wanted)
