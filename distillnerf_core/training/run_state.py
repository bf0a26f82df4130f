"""Everything a killed run needs to go on, in one safetensors file without pickled code."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.checkpoint import read_safetensors, write_safetensors

FORMAT = "distillnerf-training-2"
MOVABLE = frozenset(
    {
        "steps",
        "depth_steps",
        "device",
        "checkpoint_minutes",
        "log_every",
        "image_every",
        "matmul_precision",
        "precision",
        "perceptual",
    }
)
"""What may change when a run goes on."""


def save_run(
    path: Path,
    step: int,
    model: nn.Module,
    averaged: dict[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    config: str,
) -> None:
    """Writes the state of a run.

    Args:
        path: Target file; replaced atomically.
        step: Steps done.
        model: Network.
        averaged: Exponential moving average of its weights.
        optimizers: Optimisers, always in the same order.
        config: Configuration of the run as JSON; a run resumes only under the same one, but
            may be made longer or shorter.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"averaged.{name}": value for name, value in averaged.items()}
    for which, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            prefix = f"optimizer.{which}.{index}"
            tensors |= {f"{prefix}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    write_safetensors(path, tensors, {"format": FORMAT, "step": str(step), "config": config})


def load_run(
    path: Path,
    model: nn.Module,
    averaged: dict[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    config: str,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> int:
    """Restores a run in place and returns the number of steps done.

    Args:
        path: File of :func:`save_run`.
        model: Network.
        averaged: Moving average of its weights.
        optimizers: Optimisers, in the order in which they were saved.
        config: Configuration of the run as JSON.
        complete: Adds to the configuration in the file what was not configurable when it was written.

    Raises:
        CheckpointError: If the file is damaged, or was written under another configuration.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not the state of a training run; remove it or choose another output folder")
    different = _differences(complete(json.loads(metadata["config"])), json.loads(config))
    if different:
        raise CheckpointError(
            f"{path}: the run was started with other values of {', '.join(different)}; "
            "resume with the same configuration or choose another output folder"
        )
    model.load_state_dict(_part(tensors, "model."))
    for name, value in _part(tensors, "averaged.").items():
        averaged[name].copy_(value)
    for which, optimizer in enumerate(optimizers):
        plain = optimizer.state_dict()
        plain["state"] = {}
        for name, value in _part(tensors, f"optimizer.{which}.").items():
            index, field = name.split(".", 1)
            plain["state"].setdefault(int(index), {})[field] = value
        optimizer.load_state_dict(plain)
    return int(metadata["step"])


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(key for key in old.keys() | new.keys() if key not in MOVABLE and old.get(key) != new.get(key))
