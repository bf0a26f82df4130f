"""True occupancy of Occ3D files and of simulated streets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from plane_drive import PlaneDrive

from distillnerf_core.data.occupancy_truth import Occ3dFolder, OccupancySource, SimulatedOccupancy, read_occ3d
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep

SIZE = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)


def test_a_simulated_street_has_the_occupancy_of_its_data_set() -> None:
    drive = SimulatedDrive(SimulatedDriveConfig(seed=4, seconds=1.0, simulation=SIZE))
    truth = SimulatedOccupancy().read(drive, 6)
    expected = simulate_sweep(drive.scene, 500_000_000, SIZE)
    assert SimulatedOccupancy().stamp_ns(drive, 6) == expected.frame.stamp_ns + START_NS
    # Poses are rounded to single precision in other places: a voxel at a border may differ.
    assert float((truth.labels != expected.occupancy).float().mean()) < 1e-4
    assert float((truth.camera_mask != expected.visible).float().mean()) < 2e-3
    assert truth.grid == expected.grid and len(truth.labels.unique()) > 3


def test_a_real_label_file_is_read(shared_dir: Path) -> None:
    path = shared_dir / "data/occ3d_label_sample/29796060110c4163b07f06eff4af0753_labels.npz"
    if not path.is_file():
        pytest.skip("no Occ3D label volume in ../shared")
    truth = read_occ3d(path)
    with np.load(path) as content:
        assert int(truth.camera_mask.sum()) == int((content["mask_camera"] == 1).sum()) > 0
        np.testing.assert_array_equal(truth.labels.numpy(), content["semantics"])
    assert truth.grid == OCC3D_GRID


def test_a_folder_is_read_by_scene_and_token(tmp_path: Path) -> None:
    drive, source = PlaneDrive(), Occ3dFolder(tmp_path)
    assert isinstance(source, OccupancySource)
    folder = tmp_path / "scene-plane" / "token2"
    folder.mkdir(parents=True)
    labels = np.full(OCC3D_GRID.size, 17, dtype=np.uint8)
    labels[3, 4, 5] = 11
    np.savez(folder / "labels.npz", semantics=labels, mask_camera=labels == 11, mask_lidar=labels == 11)
    truth = source.read(drive, 2)
    assert truth.labels.dtype == torch.uint8 and truth.camera_mask.nonzero().tolist() == [[3, 4, 5]]
    assert source.stamp_ns(drive, 2) == drive.scan_stamps_ns[2]
    assert source.stamp_ns(PlaneDrive(lidar=False), 2) == drive.sweep_stamps_ns[2]
    with pytest.raises(DataError, match=r"gts/SCENE/SAMPLE_TOKEN/labels\.npz"):
        source.read(drive, 4)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_damaged_labels_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged Occ3D labels"):
        read_occ3d(path)


def test_labels_of_another_grid_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    np.savez(path, semantics=np.zeros((2, 2, 2), np.uint8), mask_camera=np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(DataError, match="expected"):
        read_occ3d(path)


def test_sources_refuse_drives_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no simulated street"):
        SimulatedOccupancy().read(PlaneDrive(), 0)
    street = SimulatedDrive(SimulatedDriveConfig(seconds=1.0, simulation=SIZE))
    with pytest.raises(DataError, match="sample tokens"):
        Occ3dFolder(tmp_path).read(street, 0)
