"""Images of a frame's own cameras, rendered from its field."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.model.loading import Predictor
from distillnerf_core.model.progress import ProgressListener
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.perception.config import DepthConfig
from distillnerf_core.perception.feature_image import FeatureColors, channel_colors
from distillnerf_core.perception.images import open_distance, scatter_cameras, semantic_image, z_depth_image
from distillnerf_core.perception.results import DepthImages, Output, PerceptionResult

IMAGE_OUTPUTS = frozenset({Output.DEPTH, Output.RGB, Output.SEMANTICS, Output.FEATURES})


@dataclass(frozen=True)
class CameraImages:
    """Rendered images of the present cameras; the distance is +inf for sky, NaN where a pixel is not valid."""

    rig: CameraRig
    ray_distance_m: Float[Tensor, "cameras h w"]
    opacity: Float[Tensor, "cameras h w"]
    rgb: Float[Tensor, "cameras 3 height width"] | None
    language: Float[Tensor, "cameras channels h w"] | None
    valid: Bool[Tensor, "cameras h w"] | None


def render_images(
    predictor: Predictor,
    field: SceneField,
    frame: MultiViewFrame,
    outputs: frozenset[Output],
    config: DepthConfig,
    progress: ProgressListener | None = None,
) -> CameraImages:
    """Renders the present cameras of a frame.

    Args:
        predictor: The network that predicted the field.
        field: The field.
        frame: The frame at the network's size.
        outputs: What is wanted; distance is always rendered.
        config: Size and opacity of depth.
        progress: Told how far the work is.
    """
    height, width = (max(1, round(config.scale * size)) for size in predictor.input_size)
    frame = frame.visible()
    rig, valid = frame.rig.resized(height, width), frame.valid_at(height, width)
    color, language = Output.RGB in outputs, bool(outputs & {Output.SEMANTICS, Output.FEATURES})
    views = predictor.render(field, rig, color=color, language=language, progress=progress)
    distance = open_distance(views.median_distance_m, views.opacity, config.min_opacity)
    if valid is not None:
        distance = distance.masked_fill(~valid, torch.nan)
    return CameraImages(rig, distance, views.opacity, views.rgb, views.language, valid)


def with_images(
    result: PerceptionResult,
    images: CameraImages,
    outputs: frozenset[Output],
    config: DepthConfig,
    colors: FeatureColors | None,
) -> PerceptionResult:
    """Returns a result with those images that are wanted and could be rendered, for all cameras of the frame.

    Args:
        result: What to add them to.
        images: The rendered images.
        outputs: What is wanted.
        config: Range and opacity of depth.
        colors: How features are painted; None: by their first channels.
    """
    mask, classes = result.frame.camera_mask, result.classes.features
    if Output.DEPTH in outputs:
        z_depth = z_depth_image(images.ray_distance_m, images.rig, config)
        rig = result.frame.rig.resized(images.rig.height, images.rig.width)
        result = replace(result, depth=DepthImages(scatter_cameras(z_depth, mask, float("nan")), rig))
    if images.rgb is not None:
        result = replace(result, rgb=scatter_cameras(images.rgb, mask, 0.0))
    if images.language is not None and Output.FEATURES in outputs:
        painted = (colors or channel_colors(images.language.shape[1])).paint(images.language)
        result = replace(result, features=scatter_cameras(painted, mask, 0.0))
    if images.language is not None and classes is not None:
        labels = semantic_image(images.language, images.opacity, classes, config.min_opacity)
        if images.valid is not None:
            labels = labels.masked_fill(~images.valid, UNKNOWN)
        result = replace(
            result,
            language=scatter_cameras(images.language, mask, 0.0),
            semantics=scatter_cameras(labels, mask, UNKNOWN),
        )
    return result
