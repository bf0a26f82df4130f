"""Any predictor from its file: this repository's own, or converted weights of the published network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.model.checkpoint import embedded_checkpoint, load_predictor, read_metadata
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.reference import weights_file
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews


@runtime_checkable
class Predictor(Protocol):
    """What perception needs of a network."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights, which tell its device."""

    def encode_frame(self, frame: MultiViewFrame) -> SceneField:
        """Predicts the field of one glance; cameras that are masked out are ignored."""

    def render(self, field: SceneField, cameras: CameraRig, color: bool = True, language: bool = True) -> RenderedViews:
        """Renders a field into cameras."""


@dataclass(frozen=True)
class LoadedModel:
    """A network in memory.

    Attributes:
        predictor: In evaluation mode.
        codec: Its language feature space; None where it has none.
    """

    predictor: Predictor
    codec: FeatureCodec | None


def load_model(
    path: Path | None = None, device: torch.device | str = "cpu", options: ModelOptions | None = None
) -> LoadedModel:
    """Loads a predictor of either kind, told by the file's metadata.

    Args:
        path: File of `distillnerf train`, `fit` or `convert-checkpoint`; None for the one that ships with the package.
        device: Where the network shall live.
        options: How it is run; None: the defaults.

    Raises:
        CheckpointError: If the file is missing, damaged, or something else.
    """
    source = embedded_checkpoint() if path is None else path
    if read_metadata(source).get("format") == weights_file.FORMAT:
        return LoadedModel(weights_file.load_reference(source, device, options).predictor, None)
    loaded = load_predictor(source, device)
    return LoadedModel(loaded.predictor, loaded.codec)
