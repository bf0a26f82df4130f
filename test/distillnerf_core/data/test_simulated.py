"""Data sets of simulated streets survive the disk, interruptions and damage."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from distillnerf_core.data import frame_file
from distillnerf_core.data.frame_file import read_frame, write_frame
from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.other_views import simulate_others
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep

TINY = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)
CONFIG = DatasetConfig(scenes=2, first_seed=5, frames_per_scene=2, simulation=TINY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streets") / "set"
    assert len(list(write_dataset(path, CONFIG))) == 4
    return path


def test_frames_come_back_as_they_were(folder: Path) -> None:
    dataset = SimulatedDataset(folder)
    assert len(dataset) == 4 and dataset.config == CONFIG
    assert [dataset.seed(index) for index in range(4)] == [5, 5, 6, 6]
    expected, found = simulate_sweep(sample_scene(6), 2_000_000_000, TINY), dataset[3]
    assert found.frame.stamp_ns == expected.frame.stamp_ns
    assert found.frame.camera_stamps_ns == expected.frame.camera_stamps_ns
    assert found.frame.rig.names == expected.frame.rig.names and found.grid == expected.grid
    torch.testing.assert_close(found.frame.rig.camera_to_ego, expected.frame.rig.camera_to_ego)
    torch.testing.assert_close(found.frame.rig.intrinsics, expected.frame.rig.intrinsics)
    torch.testing.assert_close(found.frame.images, expected.frame.images, atol=0.5 / 255 + 1e-6, rtol=0)
    torch.testing.assert_close(found.ray_distance_m, expected.ray_distance_m, rtol=1e-3, atol=1e-3)
    for name in ("labels", "occupancy", "visible", "instances"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_a_second_run_only_adds_what_is_missing(folder: Path) -> None:
    paths = sorted(folder.glob("*.npz"))
    content, times = paths[1].read_bytes(), [path.stat().st_mtime_ns for path in paths]
    paths[1].unlink()
    list(write_dataset(folder, CONFIG))
    again = [path.stat().st_mtime_ns for path in paths]
    assert again[0] == times[0] and again[2:] == times[2:]
    with np.load(paths[1]) as new:
        assert new["images"].shape == (6, 3, 18, 32)
    assert abs(len(paths[1].read_bytes()) - len(content)) < 200


def test_other_views_come_back_too_and_differ_from_frame_to_frame(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"other_views": 2, "scenes": 1, "frames_per_scene": 3})
    frames = [read_frame(path) for path in write_dataset(tmp_path, config)]
    names = [[views.name for views in frame.others] for frame in frames]
    assert names == [["right", "previous"], ["previous", "up"], ["up", "next"]]
    expected, found = simulate_others(sample_scene(5), 4_000_000_000, "next", TINY), frames[2].others[1]
    assert found.rig.names == expected.rig.names
    torch.testing.assert_close(found.rig.camera_to_ego, expected.rig.camera_to_ego)
    torch.testing.assert_close(found.rig.intrinsics, expected.rig.intrinsics)
    torch.testing.assert_close(found.images, expected.images, atol=0.5 / 255 + 1e-6, rtol=0)
    torch.testing.assert_close(found.ray_distance_m, expected.ray_distance_m, rtol=1e-3, atol=1e-3)
    assert torch.equal(found.weight, expected.weight)
    with pytest.raises(DataError, match="other settings"):
        next(write_dataset(tmp_path, config.model_copy(update={"other_views": 1})))


def test_cameras_with_faults_expose_all_their_views_alike(tmp_path: Path) -> None:
    faulty = CameraEffects(exposure_stops=0.5, noise=0.03)
    config = CONFIG.model_copy(update={"scenes": 1, "frames_per_scene": 1, "other_views": 2, "effects": faulty})
    plain = read_frame(next(write_dataset(tmp_path / "plain", config.model_copy(update={"effects": CameraEffects()}))))
    frame = read_frame(next(write_dataset(tmp_path / "faulty", config)))
    assert torch.equal(frame.ray_distance_m, plain.ray_distance_m) and torch.equal(frame.labels, plain.labels)
    noise = []
    taken = (frame.frame.images, *(views.images for views in frame.others))
    for found, true in zip(taken, (plain.frame.images, *(views.images for views in plain.others)), strict=True):
        for camera in range(6):
            factor = faulty.exposure(5, camera)
            expected = true[camera] * factor
            dark = expected < 0.7
            assert abs(float((found[camera][dark] / expected[dark]).mean()) - 1.0) < 0.01
        noise.append((found[0] - true[0] * faulty.exposure(5, 0)).flatten())
    assert float(torch.corrcoef(torch.stack(noise)).triu(1).abs().max()) < 0.3
    with pytest.raises(DataError, match="other settings"):
        next(write_dataset(tmp_path / "plain", config))


def test_other_settings_are_refused(folder: Path) -> None:
    other = CONFIG.model_copy(update={"first_seed": 9})
    with pytest.raises(DataError, match="other settings"):
        next(write_dataset(folder, other))


def test_damaged_and_foreign_files_are_named(folder: Path, tmp_path: Path) -> None:
    whole = sorted(folder.glob("*.npz"))[0]
    for number, content in enumerate((b"", b"no archive", whole.read_bytes()[:2000], whole.read_bytes()[:-300])):
        path = tmp_path / f"frame_{number}.npz"
        path.write_bytes(content)
        with pytest.raises(DataError, match=path.name):
            read_frame(path)
    with pytest.raises(DataError, match=r"missing\.npz"):
        read_frame(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", version=np.int64(99))
    with pytest.raises(DataError, match="version 99"):
        read_frame(tmp_path / "other.npz")
    np.savez(tmp_path / "part.npz", version=np.int64(frame_file.FRAME_VERSION))
    with pytest.raises(DataError, match="not a complete frame"):
        read_frame(tmp_path / "part.npz")


def test_flipped_bytes_are_noticed(folder: Path, tmp_path: Path) -> None:
    content = bytearray(sorted(folder.glob("*.npz"))[0].read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"flipped\.npz"):
        read_frame(path)


def test_folders_that_are_no_data_set_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set"):
        SimulatedDataset(tmp_path)
    description = tmp_path / "dataset.json"
    for content, message in (
        ("{", "damaged"),
        ("[1]", "damaged"),
        (json.dumps({"format": "coco", "version": 1, "config": {}}), "format 'coco'"),
        (json.dumps({"format": "distillnerf-simulated-streets", "version": 99, "config": {}}), "version 99"),
        (json.dumps({"format": "distillnerf-simulated-streets", "version": 1, "config": {"height": 3}}), "damaged"),
    ):
        description.write_text(content)
        with pytest.raises(DataError, match=message):
            SimulatedDataset(tmp_path)


def test_an_empty_data_set_says_so(tmp_path: Path) -> None:
    writer = write_dataset(tmp_path, CONFIG)
    next(writer)
    for path in tmp_path.glob("*.npz"):
        path.unlink()
    with pytest.raises(DataError, match="no frames yet"):
        SimulatedDataset(tmp_path)


def test_a_full_disk_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = SimulatedDataset(folder)[0]

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", fail)
    with pytest.raises(DataError, match="No space left"):
        write_frame(tmp_path / "frame.npz", frame)
    assert list(tmp_path.iterdir()) == []
