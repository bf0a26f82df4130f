"""A perceived frame as a camera would see it that is not there."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from distillnerf_core.errors import LanguageError
from distillnerf_core.model.loading import Predictor
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.perception.classes import SemanticClasses
from distillnerf_core.perception.config import DepthConfig
from distillnerf_core.perception.images import open_distance, semantic_image, z_depth_image
from distillnerf_core.perception.results import Output
from distillnerf_core.perception.virtual_camera import VirtualCamera


@dataclass(frozen=True)
class NovelView:
    """Images of one virtual camera; None what was not asked for.

    Attributes:
        rgb: Colour in [0, 1]; None as well where the network renders none.
        z_depth_m: Depth along the optical axis, +inf where nothing is or beyond the range (REP-118).
        labels: Class of each pixel, the label after the last class for sky.
    """

    rgb: Float[Tensor, "3 height width"] | None
    z_depth_m: Float[Tensor, "height width"] | None
    labels: UInt8[Tensor, "height width"] | None


def render_view(
    predictor: Predictor,
    field: SceneField,
    camera: VirtualCamera,
    classes: SemanticClasses,
    outputs: frozenset[Output],
    config: DepthConfig,
) -> NovelView:
    """Renders a field; colour from a ray for each 2 x 2 pixels, as the decoder was trained.

    Args:
        predictor: The network that predicted the field.
        field: The field.
        camera: The camera, already checked.
        classes: What pixels are labelled with.
        outputs: What is wanted, of RGB, DEPTH and SEMANTICS.
        config: Range and opacity of depth.

    Raises:
        LanguageError: If classes are wanted and the checkpoint knows none.
    """
    rgb, z_depth, labels = None, None, None
    device = field.logits.device
    if Output.RGB in outputs:
        colored = predictor.render(field, camera.half_rig().to(device), color=True, language=False)
        rgb = None if colored.rgb is None else colored.rgb[0, :, : camera.height, : camera.width]
    if outputs & {Output.DEPTH, Output.SEMANTICS}:
        rig = camera.rig().to(device)
        views = predictor.render(field, rig, color=False, language=Output.SEMANTICS in outputs)
        distance = open_distance(views.median_distance_m, views.opacity, config.min_opacity)
        z_depth = z_depth_image(distance, rig, config)[0] if Output.DEPTH in outputs else None
        if Output.SEMANTICS in outputs:
            labels = _labels(views.language, views.opacity, classes, config)
    return NovelView(rgb, z_depth, labels)


def _labels(
    language: Tensor | None, opacity: Tensor, classes: SemanticClasses, config: DepthConfig
) -> UInt8[Tensor, "height width"]:
    if language is None or classes.features is None:
        raise LanguageError("this checkpoint knows no classes: ask for rgb or depth, or use another checkpoint")
    return semantic_image(language, opacity, classes.features, config.min_opacity)[0]
