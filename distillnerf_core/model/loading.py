"""Any predictor from its file: this repository's own, or converted weights of the published network."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.clip_space import WITHOUT_TEXTS, open_clip_space, open_trained_clip_space
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder, TextEncoder
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.language.image_features import CLIP
from distillnerf_core.language.text_space import NoTexts, TextSpace
from distillnerf_core.model.checkpoint import embedded_checkpoint, load_predictor, read_metadata
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.progress import ProgressListener
from distillnerf_core.model.reference import weights_file
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.model.views import RenderedViews

_LOGGER = logging.getLogger(__name__)


@runtime_checkable
class Predictor(Protocol):
    """What perception needs of a network."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights, which tell its device."""

    def encode_frame(self, frame: MultiViewFrame, progress: ProgressListener | None = None) -> SceneField:
        """Predicts the field of one glance; cameras that are masked out are ignored."""

    def render(
        self,
        field: SceneField,
        cameras: CameraRig,
        color: bool = True,
        language: bool = True,
        progress: ProgressListener | None = None,
    ) -> RenderedViews:
        """Renders a field into cameras."""


@dataclass(frozen=True)
class LoadedModel:
    """A network in memory.

    Attributes:
        predictor: In evaluation mode.
        language: What it knows about texts.
    """

    predictor: Predictor
    language: TextSpace


def load_model(
    path: Path | None = None,
    device: torch.device | str = "cpu",
    options: ModelOptions | None = None,
    encoder: TextEncoder | None = None,
) -> LoadedModel:
    """Loads a predictor of either kind, told by the file's metadata.

    Missing or unusable files of CLIP do not stop it: the reason is in `language`.

    Args:
        path: File of `distillnerf train`, `fit` or `convert-checkpoint`; None for the one that ships with the package.
        device: Where the network shall live.
        options: How it is run; None: the defaults.
        encoder: Text encoder of this repository's own checkpoints; None: all-MiniLM-L6-v2.

    Raises:
        CheckpointError: If the file is missing, damaged, or something else.
    """
    source = embedded_checkpoint() if path is None else path
    options = options or ModelOptions()
    if read_metadata(source).get("format") == weights_file.FORMAT:
        predictor = weights_file.load_reference(source, device, options).predictor
        return LoadedModel(predictor, _reference_language(predictor, options))
    loaded = load_predictor(source, device)
    if options.dtype == "bfloat16":
        loaded.predictor.image_encoder.autocast_dtype = torch.bfloat16
    return LoadedModel(loaded.predictor, _trained_language(loaded.codec, options, encoder))


def _trained_language(space: FeatureSpace, options: ModelOptions, encoder: TextEncoder | None) -> TextSpace:
    """Returns what a checkpoint of this package knows about texts: that depends on what it was trained to render."""
    if isinstance(space, FeatureCodec):
        _warn_of_idle_files(options, "this checkpoint has a text encoder of its own")
        return CodecTextSpace(space, encoder or MiniLmEncoder())
    if space.model == CLIP:
        if options.clip_compression:
            _LOGGER.warning("clip_compression is not used: this checkpoint holds its compression")
        return open_trained_clip_space(options.clip_folder_path, space)
    why = f"this checkpoint renders features of {space.model}, which knows no texts"
    _warn_of_idle_files(options, why)
    return NoTexts(f"{why}; use one trained on features of CLIP, or that of the package; {WITHOUT_TEXTS}")


def _reference_language(predictor: ReferencePredictor, options: ModelOptions) -> TextSpace:
    """Returns what a published variant knows about texts; -clip and -dino differ in their training only."""
    name, head = predictor.config.name, predictor.feature_head
    if head is not None and name.endswith("-clip"):
        return open_clip_space(options.clip_folder_path, options.clip_compression_path, head.channels)
    why = "renders colour, not features" if head is None else "has features of DINOv2, which knows no texts"
    _warn_of_idle_files(options, f"variant {name} {why}")
    return NoTexts(f"variant {name} {why}; use one with -clip, or the checkpoint of the package; {WITHOUT_TEXTS}")


def _warn_of_idle_files(options: ModelOptions, why: str) -> None:
    if options.clip_folder or options.clip_compression:
        _LOGGER.warning("clip_folder and clip_compression are not used: %s", why)
