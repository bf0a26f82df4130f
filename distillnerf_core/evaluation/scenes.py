"""What the protocols ask of a network: a scene for a frame, which gives views, occupancy and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.evaluation.estimates import voxel_scores
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.text_space import NoTexts, TextSpace
from distillnerf_core.model.loading import LoadedModel, Predictor
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.perception.config import OccupancyConfig, PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import Output, PerceptionResult, SemanticOccupancy


@runtime_checkable
class Scene(Protocol):
    """What one glance was understood as."""

    def render(self, cameras: CameraRig, color: bool = False, language: bool = False) -> RenderedViews:
        """Renders views on the CPU; colour has twice the size of `cameras`, None where the network has none."""

    def occupancy(self) -> SemanticOccupancy:
        """Returns semantic occupancy on Occ3D's grid."""

    def scores(self, texts: Sequence[str]) -> Float[Tensor, "texts x y z"]:
        """Scores each voxel of the same grid against texts, 0 where nothing is."""


@runtime_checkable
class Judged(Protocol):
    """Anything that protocols judge."""

    @property
    def name(self) -> str:
        """Name, for reports and errors."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""

    @property
    def language(self) -> TextSpace:
        """What it knows about texts."""

    @property
    def statements(self) -> tuple[str, ...]:
        """How its occupancy is made, for reports."""

    def perceive(self, frame: MultiViewFrame) -> Scene:
        """Perceives a frame of the input size."""


@dataclass(frozen=True)
class PerceivedScene:
    """A frame that the product's pipeline perceived.

    Attributes:
        pipeline: The pipeline.
        predictor: Its network.
        result: The frame's field; outputs are computed when they are asked for.
    """

    pipeline: PerceptionPipeline
    predictor: Predictor
    result: PerceptionResult

    @torch.inference_mode()
    def render(self, cameras: CameraRig, color: bool = False, language: bool = False) -> RenderedViews:
        """Renders views."""
        rig = cameras.to(self.pipeline.device)
        views = self.predictor.render(self.result.field, rig, color=color, language=language)
        return RenderedViews(
            rgb=None if views.rgb is None else views.rgb.float().cpu(),
            ray_distance_m=views.ray_distance_m.float().cpu(),
            median_distance_m=views.median_distance_m.float().cpu(),
            opacity=views.opacity.float().cpu(),
            language=None if views.language is None else views.language.float().cpu(),
        )

    def occupancy(self) -> SemanticOccupancy:
        """Returns semantic occupancy."""
        occupancy = self.pipeline.complete(self.result, frozenset({Output.OCCUPANCY})).occupancy
        assert occupancy is not None
        return occupancy

    def scores(self, texts: Sequence[str]) -> Float[Tensor, "texts x y z"]:
        """Scores each voxel."""
        return voxel_scores(self.occupancy(), self.pipeline.encode_query(TextQuery(tuple(texts))))


class JudgedPipeline:
    """The product's pipeline, with any predictor.

    Args:
        model: The network and what it knows about texts.
        name: Name of the checkpoint.
        density_threshold: Voxels denser than this are occupied, 1/m; None: the product's default.

    Attributes:
        name: Name of the checkpoint.
        language: What it knows about texts.
    """

    def __init__(self, model: LoadedModel, name: str, density_threshold: float | None = None) -> None:
        self.name = name
        # What no camera looks into counts as free in all figures, so that it need not be found.
        occupancy = OccupancyConfig(mark_unknown=False)
        if density_threshold is not None:
            occupancy = occupancy.model_copy(update={"density_threshold": density_threshold})
        self._predictor = model.predictor
        self._pipeline = PerceptionPipeline(model.predictor, model.language, PerceptionConfig(occupancy=occupancy))

    @property
    def language(self) -> TextSpace:
        """What it knows about texts."""
        return self._pipeline.language

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it takes, pixels."""
        return self._predictor.input_size

    @property
    def statements(self) -> tuple[str, ...]:
        """How occupancy is read from the field."""
        config = self._pipeline.config.occupancy
        return (
            f"Predicted occupancy: the field is sampled at {config.vertical_samples} heights of each voxel; the "
            f"densest counts, and a voxel is occupied if its density exceeds {config.density_threshold:g} per metre.",
            "Predicted class: the Occ3D class whose text feature has the greatest cosine to the voxel's feature (the "
            "paper instead projects voxels into GroundedSAM masks of the input images).",
        )

    def perceive(self, frame: MultiViewFrame) -> PerceivedScene:
        """Perceives a frame."""
        return PerceivedScene(self._pipeline, self._predictor, self._pipeline.perceive(frame, frozenset()))


def render_size(judged: Judged) -> tuple[int, int]:
    """Returns the size of rendered depth and features: half of the input, as published."""
    height, width = judged.input_size
    return height // 2, width // 2


def rendered_rgb(
    judged: Judged, scene: Scene, cameras: CameraRig, protocol: str
) -> tuple[Float[Tensor, "cameras 3 height width"], RenderedViews]:
    """Renders colour of the size of the input.

    Args:
        judged: Whose scene it is.
        scene: The scene.
        cameras: Cameras at the input's size.
        protocol: Who asks, for the error.

    Returns:
        Colour, not clamped, and the views that it comes with, at half the size.

    Raises:
        CheckpointError: If the network renders no colour.
    """
    views = scene.render(cameras.resized(*render_size(judged)), color=True)
    if views.rgb is None:
        raise CheckpointError(
            f"{judged.name} cannot be evaluated on {protocol}: it renders features, not colour; ask for depth, "
            "occupancy or features, or use a checkpoint with a colour decoder"
        )
    return views.rgb, views


def require_texts(judged: Judged, protocol: str) -> None:
    """Refuses a network that knows no texts.

    Raises:
        CheckpointError: With the reason.
    """
    if judged.language.class_features is None:
        reason = judged.language.reason if isinstance(judged.language, NoTexts) else "it knows no texts"
        raise CheckpointError(f"{judged.name} cannot be evaluated on {protocol}: {reason}")
