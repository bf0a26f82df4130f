"""Golden tensors of the per-scene teacher, and a field that was fitted to a wall."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from wall_drive import HEIGHT, WIDTH, WallDrive

from distillnerf_core.teachers.field.config import SMALL, FieldTeacherConfig
from distillnerf_core.teachers.field.grid_layout import GridConfig
from distillnerf_core.teachers.field.teacher import FieldTeacher

Golden = Callable[[str], dict[str, Tensor]]


@pytest.fixture(scope="session")
def golden(golden_dir: Path) -> Golden:
    """Reads a file of golden tensors of the teacher by its name."""

    def read(name: str) -> dict[str, Tensor]:
        with np.load(golden_dir / "teacher" / f"{name}.npz") as archive:
            return {key: torch.from_numpy(np.asarray(archive[key])) for key in archive.files}

    return read


@pytest.fixture(scope="session")
def wall_config() -> FieldTeacherConfig:
    """Settings that learn a wall in seconds."""
    grid = GridConfig(levels=2, features=2, base=8, finest=16, log2_entries=12)
    changes = {
        "static": grid,
        "proposal": grid.model_copy(update={"features": 1}),
        "moving": "none",
        "width": 16,
        "appearance": 0,
    }
    field = SMALL.field.model_copy(update={**changes, "proposal_intervals": (24, 12), "intervals": 12})
    weights = SMALL.weights.model_copy(update={"sky": 0.02, "distance": 0.5})
    rays = {"pixel_rays": 128, "lidar_rays": 128, "height": HEIGHT, "width": WIDTH, "sweep_step": 1}
    return SMALL.model_copy(update={"field": field, "weights": weights, "iterations": 300, **rays})


@pytest.fixture(scope="session")
def wall() -> WallDrive:
    """The drive along the wall."""
    return WallDrive()


@pytest.fixture(scope="session")
def wall_teacher(
    wall: WallDrive, wall_config: FieldTeacherConfig, tmp_path_factory: pytest.TempPathFactory
) -> FieldTeacher:
    """A field that was fitted to the wall."""
    return FieldTeacher.fitted(wall, wall_config, tmp_path_factory.mktemp("wall"), wall.sky, progress=False)
