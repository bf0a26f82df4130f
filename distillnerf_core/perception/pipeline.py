"""The way from a frame to everything a robot consumes; the live node and the offline command both call it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.errors import ConfigurationError, LanguageError, QueryError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.encoders import TextEncoder
from distillnerf_core.language.text_space import EncodedQuery, TextSpace
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.model.loading import Predictor, load_model
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.progress import ProgressListener
from distillnerf_core.perception.camera_images import IMAGE_OUTPUTS, CameraImages, render_images, with_images
from distillnerf_core.perception.classes import checkpoint_classes
from distillnerf_core.perception.config import PerceptionConfig
from distillnerf_core.perception.feature_image import class_colors
from distillnerf_core.perception.novel_view import NovelView, render_view
from distillnerf_core.perception.occupancy import occupancy_from_field
from distillnerf_core.perception.query import QueryResult, TextQuery, answer_query
from distillnerf_core.perception.results import (
    ALL_OUTPUTS,
    Output,
    PerceptionResult,
    SemanticOccupancy,
    bare_result,
)
from distillnerf_core.perception.timings import Stopwatch
from distillnerf_core.perception.virtual_camera import VirtualCamera
from distillnerf_core.perception.visibility import mark_unknown


class PerceptionPipeline:
    """Turns frames into depth images, semantic occupancy and answers to texts.

    Threads may use it together; texts are embedded one after the other.

    Attributes:
        device: Where the network lives.
        config: Outputs.
        language: What the checkpoint knows about texts.
        classes: What is labelled from the next frame on; another set may be assigned.
    """

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
        self.classes = checkpoint_classes(self.language)
        self._predictor = predictor
        features = self.language.class_features
        self._colors = None if features is None else class_colors(features)

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

    def warm_up(self) -> None:
        """Perceives a blank image of one camera, so that memory, kernels and code are ready for the first frame."""
        height, width = self.input_size
        intrinsics = torch.tensor(
            [[[width / 2.0, 0.0, width / 2.0], [0.0, width / 2.0, height / 2.0], [0.0, 0.0, 1.0]]]
        )
        rig = CameraRig(("blank",), intrinsics, torch.eye(4)[None], height, width)
        self.perceive(MultiViewFrame(0, rig, torch.zeros(1, 3, height, width), torch.tensor([True]), (0,)))

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
        result = bare_result(frame, field, self.classes)
        result = self._add_outputs(result, outputs, watch, progress)
        return replace(result, timings=watch.timings())

    def _add_outputs(
        self,
        result: PerceptionResult,
        outputs: frozenset[Output],
        watch: Stopwatch,
        progress: ProgressListener | None = None,
    ) -> PerceptionResult:
        with watch.stage("render"):
            images = self._render(result, outputs, progress)
        with watch.stage("images"):
            if images is not None:
                result = with_images(result, images, outputs, self.config.depth, self._colors)
        with watch.stage("occupancy"):
            occupancy = self._occupancy(result, images) if Output.OCCUPANCY in outputs else result.occupancy
        return replace(result, occupancy=occupancy)

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
        return self.answer(result, query, self.encode_query(query))

    @torch.inference_mode()
    def answer(self, result: PerceptionResult, query: TextQuery, encoded: EncodedQuery) -> QueryResult:
        """Answers texts that were embedded before.

        Raises:
            QueryError: If the result has no occupancy.
        """
        if result.occupancy is None:
            raise QueryError("the frame was perceived without occupancy: ask for Output.OCCUPANCY")
        return answer_query(result.occupancy, query, encoded, self.config.query)

    def query_images(self, result: PerceptionResult, query: TextQuery) -> Float[Tensor, "texts cameras h w"]:
        """Scores every pixel of the rendered images against the texts; 0 for sky and missing cameras.

        Raises:
            LanguageError: As :meth:`encode_query`.
        """
        return self.score_images(result, self.encode_query(query))

    @torch.inference_mode()
    def score_images(self, result: PerceptionResult, encoded: EncodedQuery) -> Float[Tensor, "texts cameras h w"]:
        """Does the same with texts that were embedded before; renders the features if the result has none.

        Raises:
            LanguageError: If the checkpoint renders no features that texts are compared with.
        """
        result = self.complete(result, frozenset({Output.SEMANTICS}))
        if result.language is None or result.semantics is None:
            raise LanguageError("this checkpoint renders no features that texts could be compared with")
        cameras, channels, height, width = result.language.shape
        features = result.language.permute(0, 2, 3, 1).reshape(-1, channels)
        scores = encoded.score(features).view(-1, cameras, height, width)
        return scores.masked_fill(result.semantics >= result.classes.labels.sky, 0.0)

    @torch.inference_mode()
    def heat_images(self, result: PerceptionResult, questions: Sequence[EncodedQuery]) -> Float[Tensor, "cameras h w"]:
        """Scores every pixel by the text that it answers best, of any of one or more questions.

        Raises:
            LanguageError: As :meth:`score_images`.
        """
        result = self.complete(result, frozenset({Output.SEMANTICS}))
        best = [self.score_images(result, question).amax(dim=0) for question in questions]
        return torch.stack(best).amax(dim=0)

    @torch.inference_mode()
    def complete(self, result: PerceptionResult, outputs: frozenset[Output] = ALL_OUTPUTS) -> PerceptionResult:
        """Adds images that nobody had asked for when the frame was perceived, and occupancy likewise."""
        present = {
            Output.DEPTH: result.depth,
            Output.RGB: result.rgb,
            Output.SEMANTICS: result.semantics,
            Output.FEATURES: result.features,
            Output.OCCUPANCY: result.occupancy,
        }
        missing = frozenset(output for output in outputs if present[output] is None)
        with flushed_denormals():
            return self._add_outputs(result, missing, Stopwatch(self.device)) if missing else result

    @torch.inference_mode()
    def render_view(self, result: PerceptionResult, camera: VirtualCamera, outputs: frozenset[Output]) -> NovelView:
        """Renders a perceived frame into a camera that is not there.

        Args:
            result: The newest result.
            camera: The camera.
            outputs: What is wanted, of RGB, DEPTH and SEMANTICS.

        Raises:
            QueryError: If the camera makes no sense or its image is too large.
            LanguageError: If classes are wanted and the checkpoint knows none.
        """
        camera.check(self.config.render.max_pixels)
        with flushed_denormals():
            return render_view(self._predictor, result.field, camera, result.classes, outputs, self.config)

    def encode_query(self, query: TextQuery) -> EncodedQuery:
        """Embeds a query once, for many frames.

        Raises:
            LanguageError: If the checkpoint answers no texts, or its text encoder is missing or does not fit.
        """
        config = self.config.query
        return self.language.encode_query(query.texts, query.negatives, config.negatives, config.temperature or None)

    def _render(
        self, result: PerceptionResult, outputs: frozenset[Output], progress: ProgressListener | None
    ) -> CameraImages | None:
        """Renders only if an image is wanted, or visibility for occupancy is."""
        occlusion = Output.OCCUPANCY in outputs and self.config.occupancy.mark_unknown
        if not outputs & IMAGE_OUTPUTS and not occlusion:
            return None
        return render_images(self._predictor, result.field, result.frame, outputs, self.config.depth, progress)

    def _occupancy(self, result: PerceptionResult, images: CameraImages | None) -> SemanticOccupancy:
        config = self.config.occupancy
        occupancy = occupancy_from_field(result.field, self.language, config, result.classes)
        if images is None or not config.mark_unknown:
            return occupancy
        return mark_unknown(occupancy, images.ray_distance_m, images.rig)


def fit_frame(frame: MultiViewFrame, height: int, width: int) -> MultiViewFrame:
    """Returns the frame at an image size, its intrinsics adapted; unchanged if it has that size."""
    if (frame.rig.height, frame.rig.width) == (height, width):
        return frame
    images = interpolate(frame.images, (height, width), mode="bilinear", antialias=True, align_corners=False)
    rig, valid = frame.rig.resized(height, width), frame.valid_at(height, width)
    return replace(frame, images=images.clamp(0, 1), rig=rig, valid=valid)


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
