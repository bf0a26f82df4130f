"""Checkpoints: one safetensors file with the weights, the feature space and the configuration."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import CheckpointError, ConfigurationError
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.feature_space import FeatureSpace, feature_space_from_state
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.model.tensor_shapes import shape_problems

FORMAT = "distillnerf-predictor-1"
_PREDICTOR, _LANGUAGE = "predictor.", "language."


@dataclass(frozen=True)
class LoadedPredictor:
    """A checkpoint in memory.

    Attributes:
        predictor: The network in evaluation mode.
        codec: What its features mean.
        provenance: How it was trained (command, seed, steps, figures), as written by the trainer.
        source: File it came from.
    """

    predictor: ScenePredictor
    codec: FeatureSpace
    provenance: dict[str, Any]
    source: Path

    def require_classes(self, remedy: str) -> FeatureCodec:
        """Returns the space of texts and classes that it renders.

        Args:
            remedy: What to do otherwise, the end of the message.

        Raises:
            CheckpointError: If it renders features of an image model, which knows no classes.
        """
        if not isinstance(self.codec, FeatureCodec):
            raise CheckpointError(f"{self.source} renders features of {self.codec.model}{remedy}")
        return self.codec


def embedded_checkpoint() -> Path:
    """Returns the checkpoint that ships with the package."""
    return Path(str(files("distillnerf_core.model") / "weights" / "tiny.safetensors"))


def save_predictor(
    path: Path,
    config: PredictorConfig,
    weights: dict[str, Tensor],
    codec: FeatureSpace,
    provenance: dict[str, Any],
    half: bool = False,
) -> None:
    """Writes a checkpoint; an interrupted write leaves the old file whole.

    Args:
        path: Target, *.safetensors.
        config: Architecture.
        weights: State dict of a `ScenePredictor` of that architecture.
        codec: What its features mean.
        provenance: Anything JSON can hold.
        half: Store weights as 16-bit floats (for shipping); they are loaded as 32-bit.

    Raises:
        CheckpointError: If the file cannot be written.
    """
    tensors = {_PREDICTOR + name: value.detach().cpu().contiguous() for name, value in weights.items()}
    if half:
        tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    tensors |= {_LANGUAGE + name: value for name, value in codec.to_state().items()}
    metadata = {
        "format": FORMAT,
        "config": config.model_dump_json(),
        "provenance": json.dumps(provenance),
    }
    write_safetensors(path, tensors, metadata)


def write_safetensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes tensors beside the target and moves them into place.

    Raises:
        CheckpointError: If the disk is full or the folder cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(partial), metadata)
        partial.replace(path)
    except (OSError, safetensors.SafetensorError) as err:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write checkpoint {path}: {err} (free disk space or choose another folder)"
        ) from err


def load_predictor(path: Path | None = None, device: torch.device | str = "cpu") -> LoadedPredictor:
    """Loads a checkpoint; nothing in the file is executed.

    Args:
        path: File written by `save_predictor`; None for the one that ships with the package.
        device: Where the network shall live.

    Raises:
        CheckpointError: If the file is missing, damaged, no predictor, or of another architecture.
    """
    source = embedded_checkpoint() if path is None else path
    tensors, metadata = read_safetensors(source)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{source}: not a distillnerf predictor (format {metadata.get('format', 'unnamed')!r}, "
            f"expected {FORMAT!r}); files of `distillnerf train` and `distillnerf fit` are"
        )
    config = _read_config(metadata.get("config", ""), source)
    predictor = ScenePredictor(config)
    weights = {name[len(_PREDICTOR) :]: value for name, value in tensors.items() if name.startswith(_PREDICTOR)}
    _check_weights(predictor, weights, source)
    predictor.load_state_dict({name: value.float() for name, value in weights.items()})
    language = {name[len(_LANGUAGE) :]: value for name, value in tensors.items() if name.startswith(_LANGUAGE)}
    codec = feature_space_from_state(language).to(device)
    predictor.to(device).eval().requires_grad_(False)
    return LoadedPredictor(predictor, codec, json.loads(metadata.get("provenance", "{}")), source)


def read_metadata(path: Path) -> dict[str, str]:
    """Reads the metadata of a safetensors file alone.

    Raises:
        CheckpointError: If the file is missing or damaged.
    """
    _require_file(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as opened:
            return dict(opened.metadata() or {})
    except (OSError, safetensors.SafetensorError) as err:
        raise _unreadable(path, err) from err


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint {path} does not exist: check the path, or train one with `distillnerf train`"
        )


def _unreadable(path: Path, err: Exception) -> CheckpointError:
    return CheckpointError(f"checkpoint {path} cannot be read: {err}; expected a whole *.safetensors file")


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads all tensors and the metadata of a safetensors file.

    Raises:
        CheckpointError: If the file is missing or damaged.
    """
    _require_file(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            return {name: opened.get_tensor(name) for name in opened.keys()}, metadata  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as err:
        raise _unreadable(path, err) from err


def _read_config(text: str, source: Path) -> PredictorConfig:
    try:
        return parse_config(json.loads(text), PredictorConfig, f"configuration in {source}")
    except (json.JSONDecodeError, TypeError, ConfigurationError) as err:
        raise CheckpointError(f"{source}: written by another version of distillnerf: {err}") from err


def _check_weights(predictor: ScenePredictor, weights: dict[str, Tensor], source: Path) -> None:
    problems = shape_problems(predictor.state_dict(), weights)
    if problems:
        listed = "; ".join(problems[:8])
        raise CheckpointError(f"{source}: checkpoint of another architecture, {len(problems)} problems: {listed}")
