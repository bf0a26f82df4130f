from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.message_fields import split_stamp
from distillnerf_core.streams.phase_estimation import PhaseEstimator, estimate_phases
from distillnerf_core.streams.stream_config import MotionConfig, StreamConfig

MS = 1_000_000
START = 1_532_402_927_000 * MS
LAYOUT = load_layout("nuscenes_upper")
NAMES = LAYOUT.names


@settings(max_examples=30, deadline=None)
@given(
    phases=st.lists(st.floats(-20.0, 20.0), min_size=5, max_size=5),
    drops=st.floats(0.0, 0.1),
    gaps=st.sampled_from([(50.0, 100.0), (100.0,), (75.0,)]),
    seed=st.integers(0, 10_000),
)
def test_phases_are_found_whatever_the_gaps_and_drops(
    phases: list[float], drops: float, gaps: tuple[float, ...], seed: int
) -> None:
    random = Random(seed)
    true = dict(zip(NAMES, [0.0, *phases], strict=True))
    stamps: dict[str, list[int]] = {name: [] for name in NAMES}
    start = 0.0
    for cycle in range(60):
        start += gaps[cycle % len(gaps)]
        for name, phase in true.items():
            if random.random() >= drops:
                stamps[name].append(START + round((start + phase + random.uniform(-1.0, 1.0)) * MS))
    found = estimate_phases(stamps, NAMES[0])
    assert found == pytest.approx(true, abs=2.5)


def test_the_nuscenes_rig_is_found_relative_to_its_front_camera() -> None:
    estimator, found = PhaseEstimator(NAMES, "CAM_FRONT"), None
    for cycle in range(26):
        start = 75 * cycle - 25 * (cycle % 2)
        for name in sorted(NAMES, key=LAYOUT.phases_ms.__getitem__):
            found = estimator.add(name, START + round((start + LAYOUT.phases_ms[name]) * MS)) or found
    assert found == pytest.approx({name: phase - 7.6 for name, phase in LAYOUT.phases_ms.items()}, abs=0.1)


def test_a_stream_without_known_phases_learns_them() -> None:
    layout = LAYOUT.model_copy(update={"phases_ms": {}})
    stream = FrameStream(layout, StreamConfig(motion=MotionConfig(motion_compensation="off")))
    sets: list[CameraSet] = []
    for cycle in range(60):
        start = 75 * cycle - 25 * (cycle % 2)
        for name in sorted(NAMES, key=LAYOUT.phases_ms.__getitem__):
            stamp = START + round((start + LAYOUT.phases_ms[name]) * MS)
            sec, nanosec = split_stamp(stamp)
            header = SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=name)
            stream.add_image(name, SimpleNamespace(header=header), stamp)
            sets += stream.synchroniser.poll(stamp)
    assert len(sets) >= 33
    assert all(not one.missing for one in sets[-30:])


def test_time_jumps_start_the_estimate_over_and_memory_is_bounded() -> None:
    estimator = PhaseEstimator(("A", "B"), "A", sweeps=5)
    for step in range(1000):
        assert estimator.add("B", START + step * MS) is None
    assert len(estimator._stamps["B"]) <= 21
    estimator.add("B", START)
    assert estimator._stamps["B"] == [START]
