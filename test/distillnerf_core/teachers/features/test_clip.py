"""The teacher equals transformers' own model, whose attention is replaced where MaskCLIP leaves it out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from distillnerf_core.teachers.features.clip import ClipTeacher, load_clip_teacher
from distillnerf_core.teachers.features.teacher import FeatureTeacher, ImageBatch

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).reshape(3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).reshape(3, 1, 1)


@pytest.fixture(scope="module")
def vision_model(clip_folder: Path) -> Any:
    import transformers

    return transformers.CLIPVisionModelWithProjection.from_pretrained(clip_folder).eval()


def images(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def as_map(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Lays tokens without the class token over the grid by their numbers."""
    result = torch.zeros(len(tokens), tokens.shape[2], rows, columns)
    for number in range(rows * columns):
        result[:, :, number // columns, number % columns] = tokens[:, 1 + number]
    return result


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 20), (16, 12)])
def test_with_attention_the_features_are_those_of_transformers(
    vision_model: Any, clip_folder: Path, height: int, width: int
) -> None:
    teacher = load_clip_teacher(clip_folder, last_block="attention")
    batch = images(height, width)
    with torch.no_grad():
        own = vision_model((batch - MEAN) / STD, interpolate_pos_encoding=True)
        expected = vision_model.visual_projection(vision_model.vision_model.post_layernorm(own.last_hidden_state))
    torch.testing.assert_close(teacher.features(ImageBatch(batch)), as_map(expected, height // 4, width // 4))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 20)])
def test_the_value_path_is_attention_to_oneself_alone(
    vision_model: Any, clip_folder: Path, height: int, width: int
) -> None:
    """Runs the original modules with an attention that hands each position its own value."""
    import transformers

    last = vision_model.vision_model.encoder.layers[-1].self_attn
    registry = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS
    usual = registry["sdpa"]
    caught: list[Tensor] = []

    def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any) -> Any:
        if module is not last:
            return usual(module, query, key, value, mask, **options)
        return value.transpose(1, 2), None

    batch = images(height, width)
    hook = last.register_forward_hook(lambda _module, _inputs, output: caught.append(output[0]))
    before = vision_model.config._attn_implementation
    registry["oneself"] = attend
    try:
        vision_model.set_attn_implementation("oneself")
        with torch.no_grad():
            vision_model((batch - MEAN) / STD, interpolate_pos_encoding=True)
            expected = vision_model.visual_projection(vision_model.vision_model.post_layernorm(caught[0]))
    finally:
        hook.remove()
        vision_model.set_attn_implementation(before)
    teacher = load_clip_teacher(clip_folder)
    features = teacher.features(ImageBatch(batch))
    torch.testing.assert_close(features, as_map(expected, height // 4, width // 4))
    other = load_clip_teacher(clip_folder, last_block="attention").features(ImageBatch(batch))
    assert (features - other).abs().max() > 0.01


def test_a_smaller_stride_gives_more_cells_of_overlapping_patches(clip_folder: Path) -> None:
    teacher = load_clip_teacher(clip_folder, stride_px=2, short_side_px=8)
    assert teacher.working_size(9, 16) == (8, 14)
    assert teacher.features(ImageBatch(images(8, 14))).shape == (2, 10, 3, 6)
    assert teacher.margin_px == 1.0


def test_what_the_teacher_says_about_itself(clip_teacher: ClipTeacher, clip_folder: Path) -> None:
    assert isinstance(clip_teacher, FeatureTeacher)
    assert clip_teacher.channels == 10
    assert clip_teacher.margin_px == 0.0
    assert clip_teacher.description["stride_px"] == "4"
    assert len(clip_teacher.description["weights_sha256"]) == 64


def test_images_of_a_batch_do_not_mix(clip_teacher: ClipTeacher) -> None:
    batch = images(8, 12)
    both = clip_teacher.features(ImageBatch(batch))
    torch.testing.assert_close(both[1:], clip_teacher.features(ImageBatch(batch[1:])))
