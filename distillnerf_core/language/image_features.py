"""The feature space of an image model, for checkpoints that render its features."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.language.affine_compression import AffineCompression

CLIP = "clip"
"""The image model whose features are compared with texts."""
_INFO = "image_model"
_COMPRESSION = ("reduction", "lower", "upper")


@dataclass(frozen=True)
class ImageFeatures:
    """What an image model's features are, and how they were compressed.

    Attributes:
        model: Short name of the model, such as "clip" or "dinov2".
        description: The model, the hash of its weights, and how it was run.
        channels: Channels of a feature.
        compression: Reduction of the model's features; None where they have all of its dimensions.
    """

    model: str
    description: Mapping[str, str]
    channels: int
    compression: AffineCompression | None

    @property
    def class_features(self) -> None:
        """No class is known without the text tower."""
        return

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides about the meaning of a feature."""
        digest = hashlib.sha256(self._info())
        for name in _COMPRESSION if self.compression is not None else ():
            digest.update(getattr(self.compression, name).float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> "ImageFeatures":
        """Moves the compression to a device."""
        return self if self.compression is None else replace(self, compression=self.compression.to(device))

    def to_state(self) -> dict[str, Tensor]:
        """Gives the space as named tensors for a checkpoint; names are stored as UTF-8 JSON bytes."""
        state = {_INFO: torch.tensor(list(self._info()), dtype=torch.uint8)}
        if self.compression is not None:
            state |= {name: getattr(self.compression, name).cpu().contiguous() for name in _COMPRESSION}
        return state

    def _info(self) -> bytes:
        content = {"model": self.model, "description": dict(self.description), "channels": self.channels}
        return json.dumps(content, sort_keys=True).encode()


def holds_image_features(state: Mapping[str, Tensor]) -> bool:
    """Tells whether the language part of a checkpoint is that of an image model."""
    return _INFO in state


def image_features_from_state(state: Mapping[str, Tensor]) -> ImageFeatures:
    """Restores a space from :meth:`ImageFeatures.to_state`.

    Raises:
        CheckpointError: If it is damaged.
    """
    try:
        info = json.loads(bytes(state[_INFO].tolist()))
        model, channels = str(info["model"]), int(info["channels"])
        description = {str(name): str(value) for name, value in info["description"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise CheckpointError(
            f"feature part of the checkpoint: unreadable ({err}): train or download it again"
        ) from err
    present = [name for name in _COMPRESSION if name in state]
    if not present:
        return ImageFeatures(model, description, channels, None)
    shapes = [tuple(state[name].shape) for name in present]
    if len(present) < len(_COMPRESSION) or shapes[0][1:] != (channels,) or shapes[1:] != [(channels,), (channels,)]:
        raise CheckpointError(
            f"feature part of the checkpoint: {', '.join(present)} of shapes {shapes} make no compression to "
            f"{channels} channels: train or download it again"
        )
    return ImageFeatures(model, description, channels, AffineCompression(*(state[name] for name in _COMPRESSION)))
