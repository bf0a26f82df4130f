from pathlib import Path
from typing import Any

import pytest
import torch

from distillnerf_core.teachers.features.clip import ClipTeacher, load_clip_teacher


@pytest.fixture(scope="session")
def dinov2_model() -> Any:
    """A random DINOv2 at a size for tests."""
    import transformers

    torch.manual_seed(1)
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=12, patch_size=4, layerscale_value=0.7
    )
    return transformers.Dinov2Model(config).eval()


@pytest.fixture(scope="session")
def dinov2_folder(dinov2_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dinov2")
    dinov2_model.save_pretrained(path)
    return path


@pytest.fixture
def clip_teacher(clip_folder: Path) -> ClipTeacher:
    return load_clip_teacher(clip_folder, short_side_px=8)
