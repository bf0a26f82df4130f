"""Converted weights keep their variant, origin and licence; large networks stay on the `meta` device."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.checkpoint import read_safetensors, write_safetensors
from distillnerf_core.model.reference.building import empty_predictor
from distillnerf_core.model.reference.conversion import ConvertedWeights
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig
from distillnerf_core.model.reference.weights_file import FORMAT, LICENCE, load_reference, save_reference

WEIGHTS = ConvertedWeights(
    "reference-clip",
    ("reference-clip", "reference-dino"),
    {"feature_head.layers.0.bias": torch.arange(64.0)},
    {"model.dx": "buffer", "model.bx": "buffer", "seg_model.x": "training"},
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_reference(path, WEIGHTS, {"source": "model.pth", "sha256": "00"})
    return path


def test_the_file_says_what_it_is(saved: Path) -> None:
    tensors, metadata = read_safetensors(saved)
    assert torch.equal(tensors["feature_head.layers.0.bias"], torch.arange(64.0))
    assert (metadata["format"], metadata["variant"]) == (FORMAT, "reference-clip")
    provenance = json.loads(metadata["provenance"])
    assert provenance["ignored"] == {"buffer": 2, "training": 1}
    assert provenance["sha256"] == "00"
    assert "CC BY-NC-SA 4.0" in provenance["licence"] == LICENCE


def test_loading_gives_the_variant_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Tensor] = {}

    def build(config: ReferenceConfig, tensors: Mapping[str, Tensor]) -> ReferencePredictor:
        given.update(tensors)
        return empty_predictor(config)

    monkeypatch.setattr("distillnerf_core.model.reference.weights_file.build_predictor", build)
    loaded = load_reference(saved, "meta")  # where nothing needs to move
    assert loaded.predictor.config == VARIANTS["reference-clip"]
    assert loaded.provenance["source"] == "model.pth"
    assert given.keys() == WEIGHTS.tensors.keys()


def test_weights_of_another_version_are_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Missing key(s) in state_dict")

    monkeypatch.setattr("distillnerf_core.model.reference.weights_file.build_predictor", fail)
    with pytest.raises(CheckpointError, match=r"another version of distillnerf, convert it again: Missing key"):
        load_reference(saved)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    write_safetensors(path, {"weight": torch.zeros(1)}, {"format": "distillnerf-predictor-1"})
    with pytest.raises(CheckpointError, match=r"'distillnerf-predictor-1'.*convert-checkpoint"):
        load_reference(path)
