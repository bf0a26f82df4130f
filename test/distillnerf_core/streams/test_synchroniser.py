import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.camera_set import AddOutcome, CameraSet
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.synchroniser import CameraSynchroniser, SynchroniserConfig, reference_camera

MS = 1_000_000
START = 1_532_402_927_000 * MS
LAYOUT = load_layout("nuscenes_upper")
NAMES = LAYOUT.names
BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "synchronising.py"


def create(**changes: object) -> CameraSynchroniser:
    return CameraSynchroniser(NAMES, LAYOUT.synchroniser_config(SynchroniserConfig.model_validate(changes)))


def stamp_of(camera: str, cycle_start_ms: float) -> int:
    return START + round((cycle_start_ms + LAYOUT.phases_ms[camera]) * MS)


def feed(synchroniser: CameraSynchroniser, start_ms: float, cameras: Iterable[str] = NAMES) -> list[CameraSet]:
    sets = []
    for camera in sorted(cameras, key=LAYOUT.phases_ms.__getitem__):
        stamp = stamp_of(camera, start_ms)
        synchroniser.add(camera, stamp, stamp + 5 * MS, f"{camera}@{start_ms}")
        sets += synchroniser.poll(stamp + 5 * MS)
    return sets


def test_a_full_sweep_leaves_at_once_with_the_reference_stamp() -> None:
    synchroniser = create()
    (one,) = feed(synchroniser, 0.0)
    assert one.stamp_ns == stamp_of("CAM_FRONT", 0.0)
    assert one.missing == ()
    assert one.stamps_ns == tuple(stamp_of(name, 0.0) for name in NAMES)
    assert synchroniser.next_deadline_ns is None
    assert one.stamp_errors_ns == (0,) * len(NAMES)


def test_a_missing_camera_is_masked_after_the_grace_time() -> None:
    synchroniser = create()
    assert feed(synchroniser, 0.0, [name for name in NAMES if name != "CAM_FRONT"]) == []
    deadline = stamp_of("CAM_FRONT_LEFT", 0.0) + 105 * MS
    assert synchroniser.next_deadline_ns == deadline
    assert synchroniser.poll(deadline - 1) == []
    (one,) = synchroniser.poll(deadline)
    assert one.missing == ("CAM_FRONT",)
    assert one.stamp_ns == stamp_of("CAM_FRONT", 0.0)
    assert one.stamps_ns[NAMES.index("CAM_FRONT")] == 0
    assert synchroniser.counters["CAM_FRONT"].missing == 1


def test_a_sweep_carries_its_own_stamp_errors_and_the_time_its_last_image_was_taken() -> None:
    """Images of the next sweep, and gaps of this one, leave its figures alone."""
    synchroniser = create()
    for index, camera in enumerate([name for name in NAMES if name != "CAM_BACK"]):
        stamp = stamp_of(camera, 0.0) + index * MS
        synchroniser.add(camera, stamp, START, f"{camera}@0", taken_ns=100 + index)
    for camera in NAMES:
        synchroniser.add(camera, stamp_of(camera, 75.0), START + 75 * MS, f"{camera}@75", taken_ns=200)
    older, newer = synchroniser.poll(START + 75 * MS)
    assert dict(zip(NAMES, older.stamp_errors_ns, strict=True)) == {
        **{name: index * MS for index, name in enumerate([name for name in NAMES if name != "CAM_BACK"])},
        "CAM_BACK": None,
    }
    assert older.taken_ns == 104
    assert newer.stamp_errors_ns == (0,) * len(NAMES)
    assert newer.taken_ns == 200


def test_arrival_stands_in_for_the_time_an_image_was_taken() -> None:
    (one,) = feed(create(), 0.0)
    assert one.taken_ns == max(one.stamps_ns) + 5 * MS


def test_new_phases_group_waiting_images_anew_and_keep_the_figures() -> None:
    """Learned phases are relative to the reference camera, so the times of all sweeps shift with them."""
    synchroniser = create()
    feed(synchroniser, 0.0)
    feed(synchroniser, 75.0, NAMES[:5])
    deadline = synchroniser.next_deadline_ns
    relative = {name: phase - LAYOUT.phases_ms["CAM_FRONT"] for name, phase in LAYOUT.phases_ms.items()}
    synchroniser.set_phases(relative)
    assert synchroniser.next_deadline_ns == deadline
    assert {name: counter.received for name, counter in synchroniser.counters.items()} == {
        name: 1 + (name in NAMES[:5]) for name in NAMES
    }
    assert synchroniser.sweeps.emitted == 1
    again = stamp_of("CAM_FRONT", 0.0)
    assert synchroniser.add("CAM_FRONT", again, again, "of a closed sweep") is AddOutcome.LATE
    (one,) = feed(synchroniser, 75.0, NAMES[5:])
    assert one.missing == ()
    assert one.stamp_ns == stamp_of("CAM_FRONT", 75.0)
    assert one.stamp_errors_ns == pytest.approx((0,) * len(NAMES), abs=2)


def test_images_that_wrong_phases_kept_apart_come_together() -> None:
    synchroniser = create(phases_ms={name: 100.0 * index for index, name in enumerate(NAMES)}, tolerance_s=0.01)
    assert feed(synchroniser, 0.0) == []
    synchroniser.set_phases(LAYOUT.phases_ms)
    (one,) = synchroniser.poll(START)
    assert one.missing == ()


def test_a_sweep_that_left_before_its_poll_keeps_its_time_under_new_phases() -> None:
    synchroniser = create()
    cameras = [name for name in NAMES if name != "CAM_FRONT"]
    feed(synchroniser, 0.0, cameras)
    for camera in NAMES:
        synchroniser.add(camera, stamp_of(camera, 75.0), START + 75 * MS, camera)
    synchroniser.set_phases({name: phase - 7.6 for name, phase in LAYOUT.phases_ms.items()})
    older, _ = synchroniser.poll(START + 75 * MS)
    assert older.stamp_ns == pytest.approx(stamp_of("CAM_FRONT", 0.0), abs=2)


def test_phases_of_unknown_cameras_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'X'"):
        create().set_phases({"X": 1.0})


def test_too_few_cameras_are_counted_and_named_but_never_leave() -> None:
    synchroniser = create(min_cameras=4)
    feed(synchroniser, 0.0, ["CAM_FRONT", "CAM_BACK", "CAM_BACK_LEFT"])
    assert synchroniser.poll(START + 10_000 * MS) == []
    assert synchroniser.sweeps.incomplete == 1
    assert set(synchroniser.sweeps.last_incomplete_missing) == {"CAM_FRONT_LEFT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT"}


def test_late_and_duplicate_images_are_counted_and_do_no_harm() -> None:
    synchroniser = create()
    feed(synchroniser, 0.0)
    stamp = stamp_of("CAM_BACK", 0.0)
    assert synchroniser.add("CAM_BACK", stamp, START + 100 * MS, "again") is AddOutcome.LATE
    stamp = stamp_of("CAM_BACK", 75.0)
    assert synchroniser.add("CAM_BACK", stamp, stamp, "first") is AddOutcome.ACCEPTED
    assert synchroniser.add("CAM_BACK", stamp + MS, stamp, "second") is AddOutcome.DUPLICATE
    (one,) = feed(synchroniser, 75.0, [name for name in NAMES if name != "CAM_BACK"])
    assert one.payloads[NAMES.index("CAM_BACK")] == "first"
    assert (synchroniser.counters["CAM_BACK"].late, synchroniser.counters["CAM_BACK"].duplicate) == (1, 1)


def test_an_older_sweep_leaves_before_a_newer_full_one() -> None:
    synchroniser = create()
    assert feed(synchroniser, 0.0, [name for name in NAMES if name != "CAM_BACK"]) == []
    older, newer = feed(synchroniser, 50.0)
    assert older.missing == ("CAM_BACK",)
    assert newer.missing == ()


def test_a_loop_of_the_recording_loses_at_most_one_frame() -> None:
    synchroniser = create()
    for cycle in range(5):
        assert len(feed(synchroniser, 75.0 * cycle)) == 1
    feed(synchroniser, 375.0, ["CAM_FRONT_LEFT", "CAM_FRONT"])
    stamp = stamp_of("CAM_FRONT_LEFT", 0.0)
    assert synchroniser.add("CAM_FRONT_LEFT", stamp, stamp + 5 * MS, "loop") is AddOutcome.RESET
    assert synchroniser.sweeps.resets == 1
    feed(synchroniser, 0.0, NAMES[2:])
    later = [one for cycle in range(1, 4) for one in feed(synchroniser, 75.0 * cycle)]
    assert [one.missing for one in later if one.stamp_ns == stamp_of("CAM_FRONT", 75.0)] == [()]
    assert synchroniser.sweeps.resets == 1


def test_a_stray_image_of_the_old_loop_after_the_jump_heals() -> None:
    synchroniser = create()
    for cycle in range(5):
        feed(synchroniser, 75.0 * cycle)
    synchroniser.add("CAM_FRONT", stamp_of("CAM_FRONT", 0.0), START + 400 * MS, "new loop")
    synchroniser.add("CAM_BACK", stamp_of("CAM_BACK", 375.0), START + 401 * MS, "old loop")
    assert len([one for cycle in range(1, 5) for one in feed(synchroniser, 75.0 * cycle) if not one.missing]) >= 3


def test_a_camera_with_a_clock_far_ahead_does_not_disturb_the_others() -> None:
    synchroniser = create()
    sets = []
    for cycle in range(10):
        start = 75.0 * cycle
        arrival = stamp_of("CAM_FRONT_LEFT", start)
        synchroniser.add("CAM_BACK", stamp_of("CAM_BACK", start) + 3_600_000 * MS, arrival, "future")
        sets += feed(synchroniser, start, [name for name in NAMES if name != "CAM_BACK"])
    sets += synchroniser.flush()
    assert [one.missing for one in sets] == [("CAM_BACK",)] * 10


def test_unset_stamps_are_reported() -> None:
    synchroniser = create()
    assert synchroniser.add("CAM_FRONT", 0, START, "image") is AddOutcome.UNSTAMPED
    assert synchroniser.counters["CAM_FRONT"].unstamped == 1


@pytest.mark.parametrize(
    ("cameras", "reference", "expected"),
    [
        (("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_BACK"), "front", "CAM_FRONT"),
        (("left", "rear", "Forward"), "front", "Forward"),
        (("front_left", "front_right"), "front", "front_left"),
        (("rear", "front"), "rear", "rear"),
        (("rear", "front"), "", "front"),
        (("camera0", "camera1"), "front", "camera0"),
    ],
)
def test_the_reference_is_the_camera_in_front(cameras: tuple[str, ...], reference: str, expected: str) -> None:
    assert reference_camera(cameras, reference) == expected


def test_memory_is_bounded_even_when_nobody_polls() -> None:
    synchroniser = create()
    for cycle in range(2000):
        stamp = stamp_of("CAM_FRONT", 75.0 * cycle)
        synchroniser.add("CAM_FRONT", stamp, stamp, "image")
    assert len(synchroniser._pending) <= 33


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"min_cameras": 3}, "only 2"), ({"reference": "CAM"}, "CAM"), ({"phases_ms": {"X": 1.0}}, "'X'")],
)
def test_configurations_that_do_not_fit_the_cameras_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        CameraSynchroniser(("A", "B"), SynchroniserConfig.model_validate({"min_cameras": 1} | changes))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sweeps_never_mix_and_nothing_that_arrived_in_time_is_left_out(data: st.DataObject) -> None:
    """Random drops, dead cameras, arrival jitter below the grace time and stamp jitter below the tolerance."""
    draw = data.draw
    cycles = draw(st.integers(2, 25))
    drops = draw(st.floats(0.0, 0.5))
    jitter_ms = draw(st.floats(0.0, 50.0))
    dead = draw(st.sets(st.sampled_from(NAMES), max_size=6))
    random = Random(draw(st.integers(0, 1_000_000)))
    gaps = [random.choice([50.0, 100.0]) for _ in range(cycles)]
    starts = [sum(gaps[:index]) for index in range(cycles)]
    events = []
    for cycle, start in enumerate(starts):
        for camera in NAMES:
            if random.random() < drops or (camera in dead and cycle > cycles // 2):
                continue
            stamp = stamp_of(camera, start + random.uniform(-3.0, 3.0))
            events.append((stamp + round(random.uniform(0.0, jitter_ms) * MS), camera, stamp, (cycle, camera)))
    synchroniser, sets = create(), []
    for arrival, camera, stamp, payload in sorted(events):
        sets += synchroniser.poll(arrival)
        synchroniser.add(camera, stamp, arrival, payload)
        sets += synchroniser.poll(arrival)
    sets += synchroniser.flush()
    arrived: dict[int, set[str]] = {}
    for *_, (cycle, camera) in events:
        arrived.setdefault(cycle, set()).add(camera)
    seen = []
    for one in sets:
        (cycle,) = {payload[0] for payload in one.payloads if payload is not None}
        present = {payload[1] for payload in one.payloads if payload is not None}
        assert present == arrived[cycle]
        assert len(present) >= 4
        seen.append(cycle)
    assert seen == sorted(set(seen))
    if jitter_ms < 1.0:
        assert seen == [cycle for cycle in range(cycles) if len(arrived.get(cycle, ())) >= 4]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("synchronising_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("index", "right"), [(0, 100.0), (1, 94.0), (2, 100.0), (3, 100.0)])
def test_reaches_the_row_of_the_contract(benchmark: ModuleType, index: int, right: float) -> None:
    found = benchmark.score("phase", benchmark.SCENARIOS[index], 1200, seed=1)
    assert found.mixed == 0.0
    assert found.right >= right


def test_plain_approximate_time_mixes_sweeps_in_the_same_model(benchmark: ModuleType) -> None:
    assert benchmark.score("slop 0.10", benchmark.SCENARIOS[1], 300, 0).mixed > 50.0
    assert benchmark.score("slop 0.045", benchmark.SCENARIOS[0], 300, 0).right == 100.0
    assert benchmark.score("slop 0.01", benchmark.SCENARIOS[0], 300, 0).right == 0.0
