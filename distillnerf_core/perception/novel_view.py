"""A perceived frame as a camera would see it that is not there."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.errors import LanguageError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.loading import Predictor
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.perception.classes import SemanticClasses
from distillnerf_core.perception.config import DepthConfig, PerceptionConfig
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
    config: PerceptionConfig,
) -> NovelView:
    """Renders a field; colour from a ray for each 2 x 2 pixels, as the decoder was trained.

    Args:
        predictor: The network that predicted the field.
        field: The field.
        camera: The camera, already checked.
        classes: What pixels are labelled with.
        outputs: What is wanted, of RGB, DEPTH and SEMANTICS.
        config: Range and opacity of depth, and most rays: a larger image is rendered with as many and enlarged, depth
            and classes by the nearest ray.

    Raises:
        LanguageError: If classes are wanted and the checkpoint knows none.
    """
    rgb, z_depth, labels = None, None, None
    depth, max_rays = config.depth, config.render.max_rays
    device, size = field.logits.device, (camera.height, camera.width)
    if Output.RGB in outputs:
        colored = predictor.render(field, _limited(camera.half_rig(), max_rays).to(device), color=True, language=False)
        rgb = None if colored.rgb is None else _fitted(colored.rgb[0], camera.half_rig(), size)
    if outputs & {Output.DEPTH, Output.SEMANTICS}:
        rig = _limited(camera.rig(), max_rays).to(device)
        views = predictor.render(field, rig, color=False, language=Output.SEMANTICS in outputs)
        distance = open_distance(views.median_distance_m, views.opacity, depth.min_opacity)
        if Output.DEPTH in outputs:
            z_depth = _repeated(z_depth_image(distance, rig, depth)[0], size)
        if Output.SEMANTICS in outputs:
            labels = _repeated(_labels(views.language, views.opacity, classes, depth), size)
    return NovelView(rgb, z_depth, labels)


def _limited(rig: CameraRig, max_rays: int) -> CameraRig:
    """Returns the rig at a size of at most so many pixels."""
    scale = math.sqrt(max_rays / (rig.height * rig.width))
    if scale >= 1:
        return rig
    return rig.resized(max(1, int(scale * rig.height)), max(1, int(scale * rig.width)))


def _fitted(
    rgb: Float[Tensor, "3 rows columns"], rig: CameraRig, size: tuple[int, int]
) -> Float[Tensor, "3 height width"]:
    """Brings a picture to twice the size of its rig, of which an odd last row or column lies half outside."""
    whole = (2 * rig.height, 2 * rig.width)
    if rgb.shape[1:] != whole:
        rgb = interpolate(rgb[None], whole, mode="bilinear", align_corners=False)[0]
    return rgb[:, : size[0], : size[1]]


def _repeated(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarges an image [rows columns] by repeating pixels."""
    if image.shape == size:
        return image
    rows, columns = (
        torch.div((2 * torch.arange(new) + 1) * old, 2 * new, rounding_mode="floor").to(image.device)
        for new, old in zip(size, image.shape, strict=True)
    )
    return image[rows][:, columns]


def _labels(
    language: Tensor | None, opacity: Tensor, classes: SemanticClasses, config: DepthConfig
) -> UInt8[Tensor, "height width"]:
    if language is None or classes.features is None:
        raise LanguageError("this checkpoint knows no classes: ask for rgb or depth, or use another checkpoint")
    return semantic_image(language, opacity, classes.features, config.min_opacity)[0]
