import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distillnerf_core.teachers.features.clip import ClipTeacher, load_clip_teacher


def shaken(tensor: Tensor) -> Tensor:
    """Adds noise, since a fresh LayerNorm scales by one and shifts by nothing, which would hide that it is missing."""
    return tensor + 0.2 * torch.randn(tensor.shape) if tensor.is_floating_point() else tensor


@pytest.fixture(scope="session")
def clip_folder(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random CLIP of all tests, shaken."""
    torch.manual_seed(2)
    path = Path(shutil.copytree(clip_folder, tmp_path_factory.mktemp("shaken") / "clip"))
    weights = path / "model.safetensors"
    save_file({name: shaken(value) for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    return path


@pytest.fixture(scope="session")
def dinov2_model() -> Any:
    """A random DINOv2 at a size for tests."""
    import transformers

    torch.manual_seed(1)
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=12, patch_size=4, layerscale_value=0.7
    )
    model = transformers.Dinov2Model(config).eval()
    model.load_state_dict({name: shaken(value) for name, value in model.state_dict().items()})
    return model


@pytest.fixture(scope="session")
def dinov2_folder(dinov2_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dinov2")
    dinov2_model.save_pretrained(path)
    return path


@pytest.fixture
def clip_teacher(clip_folder: Path) -> ClipTeacher:
    return load_clip_teacher(clip_folder, short_side_px=8)
