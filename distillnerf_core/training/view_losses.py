"""Losses of rendered pictures: of the glance itself, and of other views."""

import torch
from torch import Tensor

from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.model.predictor import EncodedScene, ScenePredictor
from distillnerf_core.training.config import ObjectiveConfig
from distillnerf_core.training.losses import (
    color_loss,
    dissimilarity,
    feature_loss,
    language_loss,
    line_of_sight_loss,
    log_distance_loss,
    opacity_loss,
    weight_entropy,
)
from distillnerf_core.training.targets import PixelTargets, reduce_distance
from distillnerf_core.training.windows import draw_window, render_window


def own_view_losses(
    predictor: ScenePredictor,
    encoded: EncodedScene,
    supervised: SupervisedFrame,
    targets: PixelTargets,
    codec: FeatureSpace,
    config: ObjectiveConfig,
    generator: torch.Generator,
    perceptual: Lpips | None = None,
) -> dict[str, Tensor]:
    """Renders some columns of some cameras, and compares colour, distance and features with the glance itself."""
    rig = encoded.depth.rig
    window = draw_window(rig, config.render_cameras, config.crop_columns, generator)
    rendered, views = render_window(predictor, encoded.field, rig, window)
    assert views.rgb is not None
    assert views.language is not None
    picture = window.pixels(supervised.frame.images, rig, (views.rgb.shape[-2], views.rgb.shape[-1]))
    distance = window.rays(targets.distance_m)
    terms = {
        "color": color_loss(views.rgb, picture, error=config.color_error),
        "depth": log_distance_loss(views.ray_distance_m, distance, config.sky_m),
        "opacity": opacity_loss(views.opacity) + opacity_loss(encoded.depth.coarse.opacity),
        "entropy": weight_entropy(rendered.gap_weights),
    }
    if codec.class_features is not None:
        language = views.language.permute(0, 2, 3, 1).flatten(0, 2)
        terms["language"] = language_loss(language, window.rays(targets.labels).flatten(), codec.class_features)
    if config.weights.features and supervised.features is not None:
        terms["features"] = feature_loss(views.language, window.rays(supervised.features), None, config.feature_error)
    if config.weights.structure:
        terms["structure"] = dissimilarity(views.rgb, picture)
    if perceptual is not None:
        terms["perceptual"] = perceptual(views.rgb, picture).mean()
    if config.weights.line_of_sight:
        terms["line_of_sight"] = line_of_sight_loss(rendered, distance.flatten(), config.sky_m)
    return terms


def other_view_losses(
    predictor: ScenePredictor,
    encoded: EncodedScene,
    others: tuple[OtherViews, ...],
    config: ObjectiveConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Renders some columns of one of the other views (DistillNeRF, section 3.4), where they can be trusted.

    Nothing is learnt from a frame without other views.
    """
    wanted = [views for views in others if views.name in config.others]
    if not wanted or not config.other_cameras:
        return {}
    views = wanted[int(torch.randint(len(wanted), (), generator=generator))]
    size = encoded.depth.rig.height, encoded.depth.rig.width
    rig = views.rig.resized(*size)
    window = draw_window(rig, config.other_cameras, config.crop_columns, generator)
    _, rendered = render_window(predictor, encoded.field, rig, window)
    assert rendered.rgb is not None
    shape = (rendered.rgb.shape[-2], rendered.rgb.shape[-1])
    picture = window.pixels(views.images, rig, shape)
    trust = window.pixels(views.weight[:, None], rig, shape)
    known = views.ray_distance_m.masked_fill(views.weight < config.trusted, torch.nan)
    distance = window.rays(reduce_distance(known, *size))
    terms = {
        "other_color": color_loss(rendered.rgb, picture, trust, config.color_error),
        "other_depth": log_distance_loss(rendered.ray_distance_m, distance, config.sky_m),
    }
    if config.weights.other_features and views.features is not None and rendered.language is not None:
        trust = window.pixels(views.weight[:, None], rig, (rendered.language.shape[-2], rendered.language.shape[-1]))
        terms["other_features"] = feature_loss(
            rendered.language, window.rays(views.features), trust, config.feature_error
        )
    return terms
