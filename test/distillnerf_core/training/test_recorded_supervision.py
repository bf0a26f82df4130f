from pathlib import Path

import pytest
import torch

from distillnerf_core.data.frame_folder import FrameFolder
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.language.classes import BACKGROUND, CLASS_NAMES, FREE, UNKNOWN
from distillnerf_core.training.recorded_supervision import project_points, supervise, voxel_labels


def test_a_pixel_keeps_its_nearest_point(flat_road: SupervisedFrame) -> None:
    rig = flat_road.frame.rig
    points = torch.tensor([[11.7, 0.0, 1.5], [21.7, 0.0, 1.5], [-5.0, 0.0, 1.5]])
    distance, labels = project_points(points, torch.tensor([4, 7, 9], dtype=torch.uint8), rig)
    assert distance[0, 16, 32].item() == pytest.approx(10.0)
    assert labels[0, 16, 32].item() == 4
    assert int((~distance[0].isnan()).sum()) == 1


def test_beams_free_the_voxels_before_their_points() -> None:
    points = torch.tensor([[10.1, 0.1, 1.9]])
    labels = voxel_labels(points, torch.tensor([4], dtype=torch.uint8), torch.tensor([0.0, 0.1, 1.9]), OCC3D_GRID)
    line = labels[:, 100, 7]
    assert line[125].item() == 4
    assert bool((line[100:123] == FREE).all())
    assert bool((line[126:] == UNKNOWN).all())


def test_a_real_frame_gives_depth_free_space_and_classes(shared_dir: Path) -> None:
    recorded = FrameFolder(shared_dir / "data" / "nuscenes_sample")[0]
    truth = supervise(recorded, 96, 176)
    known = ~truth.ray_distance_m.isnan()
    assert 0.05 < known.float().mean().item() < 0.6
    labels = truth.labels[known]
    assert int((labels == CLASS_NAMES.index("car")).sum()) > 20
    assert int((labels == BACKGROUND).sum()) > 1000
    occupied = (truth.occupancy != FREE) & (truth.occupancy != UNKNOWN)
    assert int(occupied.sum()) > 1000
    assert int((truth.occupancy == FREE).sum()) > 10 * int(occupied.sum())
