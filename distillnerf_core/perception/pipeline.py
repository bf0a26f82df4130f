"""The way from a frame to everything a robot consumes; the live node and the offline command both call it."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.errors import ConfigurationError, QueryError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.classes import SKY, UNKNOWN
from distillnerf_core.language.encoders import TextEncoder
from distillnerf_core.language.text_space import EncodedQuery, TextSpace
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.model.loading import Predictor, load_model
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.progress import ProgressListener
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.perception.config import PerceptionConfig
from distillnerf_core.perception.images import open_distance, scatter_cameras, semantic_image, z_depth_image
from distillnerf_core.perception.occupancy import occupancy_from_field
from distillnerf_core.perception.query import QueryResult, TextQuery, answer_query
from distillnerf_core.perception.results import (
    ALL_OUTPUTS,
    DepthImages,
    Output,
    PerceptionResult,
    SemanticOccupancy,
)
from distillnerf_core.perception.timings import Stopwatch
from distillnerf_core.perception.visibility import mark_unknown

_IMAGE_OUTPUTS = frozenset({Output.DEPTH, Output.RGB, Output.SEMANTICS})


@dataclass(frozen=True)
class _Images:
    """Rendered images of the present cameras; the distance is +inf for sky."""

    rig: CameraRig
    ray_distance_m: Float[Tensor, "cameras h w"]
    opacity: Float[Tensor, "cameras h w"]
    rgb: Float[Tensor, "cameras 3 height width"] | None
    language: Float[Tensor, "cameras channels h w"] | None


class PerceptionPipeline:
    """Turns frames into depth images, semantic occupancy and answers to texts."""

    def __init__(self, predictor: Predictor, language: TextSpace, config: PerceptionConfig | None = None) -> None:
        """Takes the parts; see :meth:`from_checkpoint` for the usual way.

        Args:
            predictor: Network in evaluation mode, on its device.
            language: What the same checkpoint knows about texts.
            config: Outputs; None: the defaults.
        """
        self.device = next(predictor.parameters()).device
        self.config = config or PerceptionConfig()
        self.language = language.to(self.device)
        self._predictor = predictor

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | None = None,
        config: PerceptionConfig | None = None,
        device: str = "auto",
        encoder: TextEncoder | None = None,
        options: ModelOptions | None = None,
    ) -> "PerceptionPipeline":
        """Loads a checkpoint.

        Args:
            path: Checkpoint; None: the one shipped in the package.
            config: Outputs; None: the defaults.
            device: "cpu", "cuda", "cuda:1" ... or "auto": the GPU if there is one.
            encoder: Text encoder of this package's own checkpoints; None: all-MiniLM-L6-v2.
            options: How the network is run; None: the defaults.

        Raises:
            CheckpointError: If the file is missing, damaged or of another architecture.
            ConfigurationError: If the device does not exist.
        """
        loaded = load_model(path, choose_device(device), options, encoder)
        return cls(loaded.predictor, loaded.language, config)

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels that the network takes."""
        return self._predictor.input_size

    @torch.inference_mode()
    def perceive(
        self,
        frame: MultiViewFrame,
        outputs: frozenset[Output] = ALL_OUTPUTS,
        progress: ProgressListener | None = None,
    ) -> PerceptionResult:
        """Perceives one glance.

        Args:
            frame: Images of any size; other sizes than the network's are resized here.
            outputs: What is wanted; the rest is skipped.
            progress: Told how far the network is, for frames that take long.

        Returns:
            The wanted outputs, on the pipeline's device.

        Raises:
            QueryError: If no camera is present.
        """
        if not bool(frame.camera_mask.any()):
            raise QueryError(f"frame {frame.stamp_ns}: no camera is present, nothing to perceive")
        with flushed_denormals():
            return self._perceive(frame, outputs, progress)

    def _perceive(
        self, frame: MultiViewFrame, outputs: frozenset[Output], progress: ProgressListener | None
    ) -> PerceptionResult:
        watch = Stopwatch(self.device)
        with watch.stage("prepare"):
            frame = fit_frame(frame, *self.input_size).to(self.device)
        with watch.stage("encode"):
            field = self._predictor.encode_frame(frame, progress)
        with watch.stage("render"):
            images = self._render(field, frame, outputs, progress)
        with watch.stage("images"):
            result = self._image_outputs(frame, field, images, outputs)
        with watch.stage("occupancy"):
            occupancy = self._occupancy(field, images) if Output.OCCUPANCY in outputs else None
        return replace(result, occupancy=occupancy, timings=watch.timings())

    @torch.inference_mode()
    def query(self, result: PerceptionResult | None, query: TextQuery) -> QueryResult:
        """Answers texts from a perceived frame.

        Args:
            result: The newest result, None before the first frame.
            query: The question.

        Raises:
            QueryError: If there is no frame yet or its occupancy was not computed.
            LanguageError: If the checkpoint answers no texts, or its text encoder is missing or does not fit.
        """
        if result is None:
            raise QueryError("no frame perceived yet: wait for camera images, then ask again")
        if result.occupancy is None:
            raise QueryError("the frame was perceived without occupancy: ask for Output.OCCUPANCY")
        return answer_query(result.occupancy, query, self.encode_query(query), self.config.query)

    @torch.inference_mode()
    def query_images(self, result: PerceptionResult, query: TextQuery) -> Float[Tensor, "texts cameras h w"]:
        """Scores every pixel of the rendered images against the texts; 0 for sky and missing cameras.

        Raises:
            QueryError: If the result has no language images (Output.SEMANTICS).
            LanguageError: As :meth:`encode_query`.
        """
        encoded = self.encode_query(query)
        if result.language is None or result.semantics is None:
            raise QueryError("the frame was perceived without semantics: ask for Output.SEMANTICS")
        cameras, channels, height, width = result.language.shape
        features = result.language.permute(0, 2, 3, 1).reshape(-1, channels)
        scores = encoded.score(features).view(-1, cameras, height, width)
        return scores.masked_fill(result.semantics >= SKY, 0.0)

    def encode_query(self, query: TextQuery) -> EncodedQuery:
        """Embeds a query once, for many frames.

        Raises:
            LanguageError: If the checkpoint answers no texts, or its text encoder is missing or does not fit.
        """
        config = self.config.query
        return self.language.encode_query(query.texts, query.negatives, config.negatives, config.temperature or None)

    def _render(
        self,
        field: SceneField,
        frame: MultiViewFrame,
        outputs: frozenset[Output],
        progress: ProgressListener | None,
    ) -> _Images | None:
        occlusion = Output.OCCUPANCY in outputs and self.config.occupancy.mark_unknown
        if not outputs & _IMAGE_OUTPUTS and not occlusion:
            return None
        scale = self.config.depth.scale
        height, width = (max(1, round(scale * size)) for size in self.input_size)
        rig = frame.visible().rig.resized(height, width)
        color, language = Output.RGB in outputs, Output.SEMANTICS in outputs
        views = self._predictor.render(field, rig, color=color, language=language, progress=progress)
        distance = open_distance(views.median_distance_m, views.opacity, self.config.depth.min_opacity)
        return _Images(rig, distance, views.opacity, views.rgb, views.language)

    def _image_outputs(
        self, frame: MultiViewFrame, field: SceneField, images: _Images | None, outputs: frozenset[Output]
    ) -> PerceptionResult:
        mask = frame.camera_mask
        depth, rgb, semantics, language = None, None, None, None
        if images is not None and Output.DEPTH in outputs:
            z_depth = z_depth_image(images.ray_distance_m, images.rig, self.config.depth)
            full_rig = frame.rig.resized(images.rig.height, images.rig.width)
            depth = DepthImages(scatter_cameras(z_depth, mask, float("nan")), full_rig)
        if images is not None and images.rgb is not None:
            rgb = scatter_cameras(images.rgb, mask, 0.0)
        classes = self.language.class_features
        if images is not None and images.language is not None and classes is not None:
            language = scatter_cameras(images.language, mask, 0.0)
            labels = semantic_image(images.language, images.opacity, classes, self.config.depth.min_opacity)
            semantics = scatter_cameras(labels, mask, UNKNOWN)
        empty = Stopwatch(self.device).timings()
        return PerceptionResult(
            frame.stamp_ns, frame, field, depth, rgb, semantics, language, occupancy=None, timings=empty
        )

    def _occupancy(self, field: SceneField, images: _Images | None) -> SemanticOccupancy:
        config = self.config.occupancy
        occupancy = occupancy_from_field(field, self.language, config)
        if images is None or not config.mark_unknown:
            return occupancy
        return mark_unknown(occupancy, images.ray_distance_m, images.rig)


def fit_frame(frame: MultiViewFrame, height: int, width: int) -> MultiViewFrame:
    """Returns the frame at an image size, its intrinsics adapted; unchanged if it has that size."""
    if (frame.rig.height, frame.rig.width) == (height, width):
        return frame
    images = interpolate(frame.images, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return replace(frame, images=images.clamp(0, 1), rig=frame.rig.resized(height, width))


def choose_device(name: str) -> torch.device:
    """Finds a device by name; "auto" is the GPU if there is one.

    Raises:
        ConfigurationError: If the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as err:
        raise ConfigurationError(f"device {name!r} is not usable here ({err}): use auto, cpu or cuda") from err
    return device
