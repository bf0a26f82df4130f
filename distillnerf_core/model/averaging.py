"""Predictors between two others."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.checkpoint import load_predictor, save_predictor


def average_predictors(first: Path | None, second: Path, share: float, out: Path) -> None:
    """Writes the predictor whose weights lie between those of two others on a straight line.

    Between a predictor and what further training made of it, weights that are better at the new data and as good at the
    old are often found (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).

    Args:
        first: Predictor that training began with; None: the shipped one.
        second: What came of it.
        share: Of the second, 0 to 1.
        out: Target, *.safetensors, of 16-bit floats.

    Raises:
        CheckpointError: If a file is missing or damaged, or the two differ in architecture or feature space.
    """
    before, after = load_predictor(first), load_predictor(second)
    if before.predictor.config != after.predictor.config:
        raise CheckpointError(f"{before.source} and {second} differ in architecture; there is nothing between them")
    if not _same(before.codec.to_state(), after.codec.to_state()):
        raise CheckpointError(f"{before.source} and {second} render different features; there is nothing between them")
    start = before.predictor.state_dict()
    weights = {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value
        for name, value in after.predictor.state_dict().items()
    }
    provenance: dict[str, Any] = {**after.provenance, "averaged": {"with": before.source.name, "share": share}}
    save_predictor(out, after.predictor.config, weights, after.codec, provenance, half=True)


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Compares feature spaces; machines embed the same words a little differently."""
    return first.keys() == second.keys() and all(
        first[name].shape == second[name].shape and torch.allclose(first[name].float(), second[name].float(), atol=1e-3)
        for name in first
    )
