"""The teacher equals transformers' own model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from distillnerf_core.teachers.features.dinov2 import load_dinov2_teacher
from distillnerf_core.teachers.features.teacher import FeatureTeacher, ImageBatch

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def images(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def as_map(tokens: Tensor, rows: int, columns: int) -> Tensor:
    return tokens[:, 1:].reshape(len(tokens), rows, columns, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize(("height", "width"), [(12, 12), (8, 20), (20, 8)])
def test_tokens_are_those_of_transformers(dinov2_model: Any, dinov2_folder: Path, height: int, width: int) -> None:
    teacher = load_dinov2_teacher(dinov2_folder)
    batch = images(height, width)
    with torch.no_grad():
        expected = dinov2_model((batch - MEAN) / STD).last_hidden_state
    torch.testing.assert_close(teacher.features(ImageBatch(batch)), as_map(expected, height // 4, width // 4))


def test_keys_are_those_of_the_last_block(dinov2_model: Any, dinov2_folder: Path) -> None:
    caught: list[Tensor] = []
    last = dinov2_model.encoder.layer[-1].attention
    hook = last.k_proj.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    batch = images(8, 20)
    with torch.no_grad():
        dinov2_model((batch - MEAN) / STD)
    hook.remove()
    teacher = load_dinov2_teacher(dinov2_folder, facet="key")
    torch.testing.assert_close(teacher.features(ImageBatch(batch)), as_map(caught[0], 2, 5))


def test_a_smaller_stride_gives_more_cells_of_overlapping_patches(dinov2_folder: Path) -> None:
    teacher = load_dinov2_teacher(dinov2_folder, stride_px=2, short_side_px=8)
    assert isinstance(teacher, FeatureTeacher)
    assert teacher.features(ImageBatch(images(*teacher.working_size(9, 16)))).shape == (2, 16, 3, 6)
    assert teacher.margin_px == 1.0
    assert teacher.channels == 16
    assert teacher.description["facet"] == "token"
