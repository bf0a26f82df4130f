import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distillnerf_core.errors import CheckpointError
from distillnerf_core.teachers.features.clip import load_clip_teacher
from distillnerf_core.teachers.features.dinov2 import load_dinov2_teacher
from distillnerf_core.teachers.features.teacher import ImageBatch
from distillnerf_core.teachers.features.weights import hash_files


@pytest.fixture
def copy(clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip_folder, tmp_path / "clip"))


def test_a_model_that_is_not_there_names_the_layout_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_clip_teacher(tmp_path / "clip")
    message = str(caught.value)
    assert "config.json and model.safetensors" in message
    assert f"hf download openai/clip-vit-large-patch14-336 --local-dir {tmp_path / 'clip'}" in message
    with pytest.raises(CheckpointError, match="hf download facebook/dinov2-base --local-dir"):
        load_dinov2_teacher(tmp_path / "dinov2")


def test_a_folder_without_weights_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_clip_teacher(copy)


def test_another_model_is_refused(clip_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="a model of type 'clip', expected dinov2"):
        load_dinov2_teacher(clip_folder)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_description_is_refused(copy: Path, content: str) -> None:
    (copy / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="cannot read"):
        load_clip_teacher(copy)


def test_cut_weights_are_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot load"):
        load_clip_teacher(copy)


def test_missing_tensors_are_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    tensors = load_file(weights)
    del tensors["visual_projection.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lack 1 tensors, first 'visual_projection\.weight'"):
        load_clip_teacher(copy)


def test_weights_in_the_old_format_give_the_same_features(copy: Path, clip_folder: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    batch = ImageBatch(torch.rand(1, 3, 8, 8))
    old, new = (load_clip_teacher(folder).features(batch) for folder in (copy, clip_folder))
    torch.testing.assert_close(old, new)


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")
    # SHA-256 of "abc", FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_files([tmp_path / "a", tmp_path / "b"]) == expected


def test_the_configuration_of_the_published_folder_is_read(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["vision_config"]["model_type"] = "clip_vision_model"
    (copy / "config.json").write_text(json.dumps(config))
    assert load_clip_teacher(copy).channels == 10
