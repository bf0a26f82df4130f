import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from distillnerf_core.errors import TransformError
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.stamped_transform import StampedTransform, transform_from_message
from distillnerf_core.streams.stream_config import TransformConfig
from distillnerf_core.streams.transform_buffer import TransformBuffer
from distillnerf_core.streams.transform_edge import TransformEdge

SECOND = 1_000_000_000
FACTORY = MessageFactory()
START = 1_532_402_927 * SECOND
Matrix = NDArray[np.float64]


def pose(x: float = 0.0, y: float = 0.0, yaw: float = 0.0) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    matrix[:2, 3] = x, y
    return matrix


def driving() -> TransformBuffer:
    """A vehicle at 15 m/s along x, TF at 20 Hz, with a camera 1.7 m ahead of the base."""
    buffer = TransformBuffer()
    buffer.add("base_link", "CAM", 0, pose(1.7), static=True)
    for step in range(21):
        buffer.add("map", "base_link", START + step * SECOND // 20, pose(0.75 * step))
    return buffer


@settings(max_examples=60, deadline=None)
@given(
    angles=st.lists(st.tuples(*[st.floats(-3.0, 3.0)] * 3), min_size=2, max_size=5),
    fraction=st.floats(0.0, 1.0),
)
def test_interpolation_equals_scipy(angles: list[tuple[float, float, float]], fraction: float) -> None:
    rotations = Rotation.from_euler("xyz", angles)
    offsets = np.array(angles) * 10
    buffer = TransformBuffer()
    stamps = [START + index * SECOND // 10 for index in range(len(angles))]
    for stamp, rotation, offset in zip(stamps, rotations, offsets, strict=True):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation.as_matrix(), offset
        buffer.add("map", "base_link", stamp, matrix)
    asked = stamps[0] + round(fraction * (stamps[-1] - stamps[0]))
    found = buffer.lookup("map", asked, "base_link", asked, "map")
    times = np.array([stamp - START for stamp in stamps]) / SECOND
    steps = [(first.inv() * second).magnitude() for first, second in itertools.pairwise(rotations)]
    if max(steps) < 3.1:  # at half a turn both arcs are equally short
        expected = Slerp(times, rotations)([(asked - START) / SECOND]).as_matrix()[0]
        np.testing.assert_allclose(found[:3, :3], expected, atol=1e-6)
    expected_offset = [np.interp((asked - START) / SECOND, times, offsets[:, axis]) for axis in range(3)]
    np.testing.assert_allclose(found[:3, 3], expected_offset, atol=1e-6)


def test_motion_between_two_exposures_is_the_distance_driven() -> None:
    reference, exposure = START + 300_000_000, START + 342_600_000
    found = driving().lookup("base_link", reference, "CAM", exposure, "map")
    np.testing.assert_allclose(found, pose(1.7 + 15 * 0.0426), atol=1e-9)


def test_inverse_lookups_and_siblings() -> None:
    buffer = driving()
    buffer.add("base_link", "LIDAR", 0, pose(0.9, 0.1), static=True)
    there = buffer.lookup("CAM", START, "LIDAR", START, "map")
    back = buffer.lookup("LIDAR", START, "CAM", START, "map")
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(buffer.lookup_latest("CAM", "LIDAR"), pose(-0.8, 0.1), atol=1e-12)


def test_extrapolation_stops_at_the_tolerance_and_keeps_the_velocity() -> None:
    buffer, end = driving(), START + SECOND
    found = buffer.lookup("map", end, "base_link", end + 60_000_000, "map")
    assert found[0, 3] == pytest.approx(15.9)
    with pytest.raises(TransformError, match=r"map -> base_link: asked for 0\.061 s after the newest"):
        buffer.lookup("map", end, "base_link", end + 61_000_000, "map")
    with pytest.raises(TransformError, match=r"0\.100 s before the oldest"):
        buffer.lookup("map", START, "base_link", START - SECOND // 10, "map")
    assert buffer.lookup("map", end, "base_link", end + SECOND, "map", tolerance_s=1.0)[0, 3] == pytest.approx(30.0)


def test_long_gaps_are_not_bridged() -> None:
    buffer = TransformBuffer(TransformConfig(max_gap_s=1.0))
    buffer.add("map", "base_link", START, pose())
    buffer.add("map", "base_link", START + 3 * SECOND, pose(10.0))
    with pytest.raises(TransformError, match=r"a gap of 3\.000 s"):
        buffer.lookup("map", START, "base_link", START + SECOND, "map")


def test_transforms_out_of_order_are_sorted_and_repeats_replace() -> None:
    buffer = TransformBuffer()
    for step in (2, 0, 1, 1):
        buffer.add("map", "base_link", START + step * SECOND // 10, pose(float(step)))
    asked = START + SECOND // 20
    assert buffer.lookup("map", asked, "base_link", asked, "map")[0, 3] == pytest.approx(0.5)


def test_history_is_bounded_and_a_jump_back_clears_all_but_static() -> None:
    buffer = driving()
    for step in range(2000):
        buffer.add("map", "base_link", START + step * SECOND // 20, pose(float(step)))
    assert len(buffer._edges["base_link"]._stamps_ns) <= 202
    buffer.add("odom", "wheel", START + 99 * SECOND, pose())
    buffer.add("map", "base_link", START, pose(5.0))
    assert buffer.lookup("map", START, "base_link", START, "map")[0, 3] == 5.0
    assert buffer.frames == {"map", "base_link", "CAM"}


def test_loops_and_new_parents() -> None:
    buffer = driving()
    with pytest.raises(TransformError, match="closes a loop"):
        buffer.add("CAM", "map", START, pose())
    with pytest.raises(TransformError, match="closes a loop"):
        buffer.add("map", "map", START, pose())
    buffer.add("odom", "base_link", START, pose(3.0))
    assert buffer.connected("odom", "CAM")
    assert not buffer.connected("map", "CAM")


def test_unknown_and_unconnected_frames_are_named() -> None:
    buffer = driving()
    with pytest.raises(
        TransformError, match="frames odom and base_link are not connected; known are CAM, base_link, map"
    ):
        buffer.lookup("base_link", START, "CAM", START, "odom")
    with pytest.raises(TransformError, match="known are none"):
        TransformBuffer().lookup_latest("base_link", "CAM")


def test_leading_slashes_do_not_matter() -> None:
    buffer = TransformBuffer()
    buffer.add("/base_link", "/CAM", 0, pose(1.0), static=True)
    assert buffer.lookup_latest("base_link", "/CAM")[0, 3] == 1.0


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.full((4, 4), np.nan), "not a finite number"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "no rigid motion"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "no rigid motion"),
        (np.eye(3), "expected a 4x4 matrix"),
    ],
)
def test_matrices_that_are_no_rigid_motion_are_refused(matrix: Matrix, words: str) -> None:
    with pytest.raises(TransformError, match=words):
        TransformBuffer().add("map", "base_link", START, matrix)


def message(**changes: float) -> Any:
    values = {"x": 0.0, "y": 0.0, "z": 0.0, "qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 1.0} | changes
    built = MessageFactory().transforms([StampedTransform("map", "base_link", START, np.eye(4))])
    moved, turned = built.transforms[0].transform.translation, built.transforms[0].transform.rotation
    moved.x, moved.y, moved.z = values["x"], values["y"], values["z"]
    turned.x, turned.y, turned.z, turned.w = values["qx"], values["qy"], values["qz"], values["qw"]
    return built.transforms[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": float("nan")}, "not a finite number"),
        ({"qz": float("inf")}, "not a finite number"),
        ({"qw": 0.0}, "length 0 instead of 1"),
        ({"qw": 2.0}, "length 2 instead of 1"),
    ],
)
def test_bad_transform_messages_name_the_frames_and_spare_the_others(changes: dict[str, float], words: str) -> None:
    good = message(x=4.0)
    good.child_frame_id = "good"
    buffer = TransformBuffer()
    with pytest.raises(TransformError, match=f"map -> base_link.*{words}"):
        buffer.add_message(SimpleNamespace(transforms=[message(**changes), good]))
    assert buffer.lookup_latest("map", "good")[0, 3] == 4.0


@settings(max_examples=50, deadline=None)
@given(angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3), offset=st.tuples(*[st.floats(-1e4, 1e4)] * 3))
def test_messages_round_trip(angles: tuple[float, float, float], offset: tuple[float, float, float]) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_euler("xyz", angles).as_matrix(), offset
    built = MessageFactory().transforms([StampedTransform("map", "base_link", START + 7, matrix)])
    read = transform_from_message(built.transforms[0])
    assert (read.parent, read.child, read.stamp_ns) == ("map", "base_link", START + 7)
    np.testing.assert_allclose(read.matrix, matrix, atol=1e-9)


def test_frames_without_end_are_refused_and_known_ones_still_taken() -> None:
    buffer = TransformBuffer(TransformConfig(max_frames=10))
    for index in range(10):
        buffer.add("map", f"frame{index}", SECOND, np.eye(4))
    with pytest.raises(TransformError, match="more than 10 frames"):
        buffer.add("map", "one_more", SECOND, np.eye(4))
    buffer.add("map", "frame3", 2 * SECOND, np.eye(4))
    assert len(buffer.frames) == 11


def test_poses_of_one_transform_are_bounded_however_dense_they_are() -> None:
    edge = TransformEdge("map", "base_link", static=False, most_poses=50)
    for stamp in range(200):
        edge.insert(stamp, np.eye(4), history_ns=10**9)
    assert edge.newest_ns == 199
    assert len(edge._stamps_ns) == len(edge._matrices) == 50


def test_a_message_of_very_many_bad_transforms_gives_a_short_error() -> None:
    message = FACTORY.transforms([StampedTransform("map", f"frame{index}", 1, np.eye(4)) for index in range(1200)])
    for item in message.transforms:
        item.transform.rotation.w = 0.5
    message.transforms[3].transform.rotation.w = 1.0
    buffer = TransformBuffer()
    with pytest.raises(TransformError, match=r"1200 transforms.*and 995 more") as caught:
        buffer.add_message(message)
    assert len(str(caught.value)) < 2000
    assert buffer.frames == {"map", "frame3"}


@pytest.mark.parametrize("name", ["", "x" * 257, "/"])
def test_names_that_no_frame_has_are_refused(name: str) -> None:
    with pytest.raises(TransformError, match="frame name"):
        TransformBuffer().add_message(FACTORY.transforms([StampedTransform("map", name, 1, np.eye(4))]))


@given(
    st.lists(
        st.floats() | st.sampled_from([0.0, 1.0, 5e-324, 1e300, float("nan"), float("inf")]), min_size=7, max_size=7
    ),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**32 - 1),
)
def test_numbers_of_any_kind_give_a_pose_or_our_error(values: list[float], sec: int, nanosec: int) -> None:
    message = FACTORY.transforms([StampedTransform("map", "base_link", 1, np.eye(4))])
    (item,) = message.transforms
    item.header.stamp.sec, item.header.stamp.nanosec = sec, nanosec
    item.transform.translation.x, item.transform.translation.y, item.transform.translation.z = values[:3]
    (rotation := item.transform.rotation).x, rotation.y, rotation.z, rotation.w = values[3:]
    buffer = TransformBuffer()
    try:
        buffer.add_message(message)
    except TransformError:
        assert buffer.frames == frozenset()
    else:
        assert np.isfinite(buffer.lookup_latest("map", "base_link")).all()


def test_moving_transforms_ahead_of_a_time_are_forgotten_and_static_ones_stay() -> None:
    buffer = driving()
    buffer.add("base_link", "LIDAR", START + 5 * SECOND, pose(0.9), static=True)
    buffer.add("base_link", "WHEEL", START + SECOND // 2, pose(0.1))
    buffer.forget_ahead_of(START + SECOND // 2)
    assert buffer.frames == {"base_link", "CAM", "LIDAR", "WHEEL"}


def test_a_whole_recording_is_kept_and_never_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillnerf_core.streams.transform_buffer.MAX_POSES", 10)
    buffer = TransformBuffer(TransformConfig(history_s=1.0), whole=True)
    for step in range(50):
        matrix = np.eye(4)
        matrix[0, 3] = step
        buffer.add("map", "base_link", START + step * SECOND, matrix)
    with pytest.raises(TransformError, match=r"map -> base_link: steps back by 49\.000 s; it is left out"):
        buffer.add("map", "base_link", START, np.eye(4))
    at = START + SECOND // 2
    assert buffer.lookup("map", at, "base_link", at, "map")[0, 3] == pytest.approx(0.5)


def test_the_top_of_a_tree() -> None:
    buffer = TransformBuffer()
    assert buffer.root("CAM") == "CAM"
    buffer.add("base_link", "CAM", START, np.eye(4), static=True)
    buffer.add("odom", "base_link", START, np.eye(4))
    assert buffer.root("/CAM") == buffer.root("odom") == "odom"
