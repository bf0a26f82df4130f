"""A seeded checkpoint loads as a converted one does, and is the same each time."""

from pathlib import Path

import pytest
import torch

from benchmarks import seeded_checkpoint
from benchmarks.reference_inputs import seeded_predictor
from distillnerf_core.model.reference import weights_file
from distillnerf_core.model.reference.variants import ReferenceConfig


def test_the_file_loads_and_holds_the_seeded_weights(
    mini: ReferenceConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (seeded_checkpoint, weights_file):
        monkeypatch.setattr(module, "VARIANTS", {mini.name: mini})
    path = tmp_path / "seeded.safetensors"
    seeded_checkpoint.write_seeded(path, mini.name)
    loaded = weights_file.load_reference(path)
    assert "random weights" in loaded.provenance["source"]
    expected = seeded_predictor(mini).state_dict()
    for name, value in loaded.predictor.state_dict().items():
        assert torch.equal(value, expected[name])
