"""Images are paired by time: dropped images and uneven rates shift nothing."""

import re
from pathlib import Path

import numpy as np
import pytest

from distillnerf_core.data.nuscenes_sweeps import pair_images
from distillnerf_core.data.nuscenes_tables import Reading, Sensor

PHASES_MS = {"CAM_FRONT_LEFT": -7.6, "CAM_FRONT": 0.0, "CAM_BACK": 25.1, "CAM_BACK_LEFT": 35.0}
REVOLUTIONS = [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18, 20]
"""Revolutions of the LiDAR that trigger the cameras: 12 images a second out of 20 revolutions."""
MS = 1_000_000
START = 1_532_402_927_612_460_000


def drive(dropped: set[tuple[str, int]], jitter_ms: float = 0.0) -> list[Reading]:
    random = np.random.default_rng(0)
    readings = []
    for camera, phase in PHASES_MS.items():
        sensor = Sensor(camera, "camera", np.eye(4), np.eye(3))
        for revolution in REVOLUTIONS:
            stamp = START + round((50 * revolution + phase + random.uniform(-jitter_ms, jitter_ms)) * MS)
            sample = f"sample{-(-revolution // 10)}"
            if (camera, revolution) not in dropped:
                path = Path(f"{camera}_{revolution}.jpg")
                readings.append(Reading(sensor, stamp, path, (9, 16), revolution % 10 == 0, np.eye(4), sample))
    return sorted(readings, key=lambda item: item.stamp_ns)


@pytest.mark.parametrize("jitter_ms", [0.0, 5.0])
@pytest.mark.parametrize(
    "dropped",
    [set(), {("CAM_BACK", 3), ("CAM_BACK", 11)}, {("CAM_FRONT", 1), ("CAM_FRONT", 10)}, {("CAM_FRONT_LEFT", 0)}],
)
def test_sweeps_hold_the_images_of_one_revolution(dropped: set[tuple[str, int]], jitter_ms: float) -> None:
    sweeps = pair_images(drive(dropped, jitter_ms), tuple(PHASES_MS), "CAM_FRONT", 25 * MS)
    assert len(sweeps) == len(REVOLUTIONS)
    for revolution, sweep in zip(REVOLUTIONS, sweeps, strict=True):
        present = {camera for camera in PHASES_MS if (camera, revolution) not in dropped}
        assert {camera: item.path.stem for camera, item in sweep.readings.items()} == {
            camera: f"{camera}_{revolution}" for camera in present
        }
        assert sweep.sample == (f"sample{revolution // 10}" if revolution % 10 == 0 else None)
        assert abs(sweep.stamp_ns - START - 50 * revolution * MS) <= (jitter_ms + 1e-3) * 2 * MS


def test_a_key_frame_of_its_own_is_no_second_sample() -> None:
    """An image 40 ms late cannot be paired; the sample stays with the sweep that has the others."""
    readings = drive(set())
    late = next(item for item in readings if item.path.stem == "CAM_BACK_10")
    moved = Reading(late.sensor, late.stamp_ns + 40 * MS, late.path, late.size, True, late.ego_to_global, late.sample)
    readings = sorted([item for item in readings if item is not late] + [moved], key=lambda item: item.stamp_ns)
    sweeps = pair_images(readings, tuple(PHASES_MS), "CAM_FRONT", 25 * MS)
    assert [len(sweep.readings) for sweep in sweeps if sweep.sample == "sample1"] == [3]
    assert sorted(sweep.sample for sweep in sweeps if sweep.sample) == ["sample0", "sample1", "sample2"]


def test_the_cameras_of_real_key_frames_agree_to_milliseconds(shared_dir: Path) -> None:
    """The times of all key frames of v1.0-mini, which lie far within the tolerance once the delays are taken out."""
    path = shared_dir / "data/nuscenes_meta/mini_keyframe_file_names.txt"
    if not path.is_file():
        pytest.skip("no names of key frames in ../shared/data")
    stamps: dict[str, dict[str, list[int]]] = {}
    for log, channel, stamp in re.findall(r"(n\d+-[^/_\n]+)__(CAM_[A-Z_]+)__(\d+)", path.read_text()):
        stamps.setdefault(log, {}).setdefault(channel, []).append(int(stamp) * 1000)
    paired = 0
    for log, cameras in stamps.items():
        readings = [
            Reading(
                Sensor(camera, "camera", np.eye(4), np.eye(3)), stamp, Path(), (9, 16), True, np.eye(4), f"{log}{k}"
            )
            for camera, times in cameras.items()
            for k, stamp in enumerate(sorted(times))
        ]
        readings.sort(key=lambda item: item.stamp_ns)
        for tolerance_ms in (3, 25):
            sweeps = pair_images(readings, tuple(cameras), "CAM_FRONT", tolerance_ms * MS)
            assert all(len(sweep.readings) == 6 and sweep.sample for sweep in sweeps)
        paired += len(sweeps)
    assert paired == 404
