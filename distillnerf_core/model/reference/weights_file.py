"""Converted weights on disk: one safetensors file with the weights, the variant and where they came from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import CheckpointError, ConfigurationError
from distillnerf_core.model.checkpoint import read_safetensors, write_safetensors
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.reference.building import build_predictor
from distillnerf_core.model.reference.conversion import ConvertedWeights
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig

FORMAT = "distillnerf-reference-1"

LICENCE = (
    "That of the source file. The weights which NVIDIA publishes for DistillNeRF are CC BY-NC-SA 4.0: "
    "attribution, non-commercial use only, derivatives under the same terms; this conversion is such a derivative."
)
"""What converted weights say of their licence."""


@dataclass(frozen=True)
class LoadedReference:
    """Converted weights in memory.

    Attributes:
        predictor: The network in evaluation mode.
        provenance: Where the weights came from.
        source: File they were read from.
    """

    predictor: ReferencePredictor
    provenance: dict[str, Any]
    source: Path


def save_reference(path: Path, weights: ConvertedWeights, provenance: dict[str, Any]) -> None:
    """Writes converted weights; an interrupted write leaves an older file whole.

    Args:
        path: Target, *.safetensors.
        weights: What `convert_state_dict` gave.
        provenance: Where they came from; anything JSON can hold. The licence and what was ignored are added.

    Raises:
        CheckpointError: If the file cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "variant": weights.variant,
        "config": VARIANTS[weights.variant].model_dump_json(),
        "provenance": json.dumps({**provenance, "ignored": weights.reasons(), "licence": LICENCE}),
    }
    write_safetensors(path, weights.tensors, metadata)


def load_reference(
    path: Path, device: torch.device | str = "cpu", options: ModelOptions | None = None
) -> LoadedReference:
    """Loads converted weights; nothing in the file is executed.

    Args:
        path: File written by `save_reference`.
        device: Where the network shall live.
        options: How the depth prior is run; None: as published.

    Raises:
        CheckpointError: If the file is missing, damaged, something else, or of another version.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: holds no converted weights (format {metadata.get('format', 'unnamed')!r}, expected {FORMAT!r}); "
            "make them with `distillnerf convert-checkpoint`"
        )
    try:
        config = parse_config(json.loads(metadata["config"]), ReferenceConfig, f"configuration in {path}")
        provenance = json.loads(metadata["provenance"])
        predictor = build_predictor(config.with_options(options or ModelOptions()), tensors)
    except (KeyError, json.JSONDecodeError, ConfigurationError, RuntimeError) as err:
        raise CheckpointError(f"{path}: converted by another version of distillnerf, convert it again: {err}") from err
    return LoadedReference(predictor.to(device), provenance, path)
