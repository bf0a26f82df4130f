"""The loss of one glance."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.model.predictor import DepthEstimate, EncodedScene, ScenePredictor, Stages
from distillnerf_core.model.renderer import render_rays
from distillnerf_core.training.config import ObjectiveConfig
from distillnerf_core.training.losses import (
    candidate_loss,
    interval_loss,
    language_loss,
    log_distance_loss,
    opacity_loss,
    weight_entropy,
)
from distillnerf_core.training.point_supervision import point_losses
from distillnerf_core.training.targets import PixelTargets, pixel_targets


@dataclass(frozen=True)
class Objective:
    """Loss of one step.

    Attributes:
        total: Weighted sum, to be differentiated.
        terms: Unweighted value of each term, for the logs.
    """

    total: Float[Tensor, ""]
    terms: dict[str, float]


def compute_objective(
    predictor: ScenePredictor,
    supervised: SupervisedFrame,
    codec: FeatureCodec,
    config: ObjectiveConfig,
    generator: torch.Generator,
) -> Objective:
    """Encodes a glance with some of its cameras, renders parts of it, and compares with the ground truth.

    Args:
        predictor: Network in training mode.
        supervised: Glance with ground truth, on the network's device.
        codec: Teacher of the language features.
        config: Losses and sampling.
        generator: Source of randomness (CPU).
    """
    supervised = drop_cameras(supervised, config, generator)
    plain = torch.rand((), generator=generator).item() < config.one_stage_share
    encoded = predictor.encode_scene(supervised.frame, Stages(not plain, not plain))
    targets = pixel_targets(supervised, encoded.depth.rig.height, encoded.depth.rig.width)
    terms = _depth_terms(predictor, encoded.depth, targets, config, not plain)
    terms |= _rendered_terms(predictor, encoded, supervised, targets, codec, config, generator)
    points = point_losses(encoded.field, supervised, codec.class_features, config.points, generator)
    return _weigh(terms | {"occupancy": points.occupancy, "point_language": points.language}, config)


def compute_depth_objective(
    predictor: ScenePredictor, supervised: SupervisedFrame, config: ObjectiveConfig
) -> Objective:
    """Supervises both depth stages alone: a fifth of the work, for the first part of a training run."""
    depth = predictor.estimate_depth(supervised.frame, Stages())
    targets = pixel_targets(supervised, depth.rig.height, depth.rig.width)
    return _weigh(_depth_terms(predictor, depth, targets, config, fine=True), config)


def _weigh(terms: dict[str, Tensor], config: ObjectiveConfig) -> Objective:
    weights = config.weights.model_dump()
    total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
    return Objective(total, {name: float(value.detach()) for name, value in terms.items()})


def drop_cameras(supervised: SupervisedFrame, config: ObjectiveConfig, generator: torch.Generator) -> SupervisedFrame:
    """Keeps a random subset of the cameras, in their order."""
    available = len(supervised.frame.rig)
    choice = config.cameras[int(torch.randint(len(config.cameras), (), generator=generator))]
    if choice >= available:
        return supervised
    keep = torch.randperm(available, generator=generator)[:choice].sort().values.tolist()
    frame = supervised.frame
    kept = replace(
        frame,
        rig=frame.rig.select(keep),
        images=frame.images[keep],
        camera_mask=frame.camera_mask[keep],
        camera_stamps_ns=tuple(frame.camera_stamps_ns[index] for index in keep),
    )
    return replace(
        supervised,
        frame=kept,
        ray_distance_m=supervised.ray_distance_m[keep],
        labels=supervised.labels[keep],
        instances=None,
    )


def _depth_terms(
    predictor: ScenePredictor, depth: DepthEstimate, targets: PixelTargets, config: ObjectiveConfig, fine: bool
) -> dict[str, Tensor]:
    edges = predictor.coarse_depth.edges_m
    terms = {
        "coarse_depth": log_distance_loss(depth.coarse.distance_m, targets.distance_m, config.sky_m),
        "intervals": interval_loss(depth.coarse, edges, targets.distance_m, config.sky_m),
    }
    if fine:
        terms["candidates"] = candidate_loss(depth.frustum, targets.distance_m, config.sky_m)
    return terms


def _rendered_terms(
    predictor: ScenePredictor,
    encoded: EncodedScene,
    supervised: SupervisedFrame,
    targets: PixelTargets,
    codec: FeatureCodec,
    config: ObjectiveConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    rig, field = encoded.depth.rig, encoded.field
    cameras = torch.randperm(len(rig), generator=generator)[: config.render_cameras].tolist()
    columns = min(config.crop_columns or rig.width, rig.width)
    start = int(torch.randint(rig.width - columns + 1, (), generator=generator))
    window = slice(start, start + columns)
    chosen = rig.select(cameras)
    rays = camera_rays(chosen)
    content = torch.cat((field.appearance, field.language), dim=1)
    rendered = render_rays(
        field,
        content,
        rays.origins_m[:, :, window].reshape(-1, 3),
        rays.directions[:, :, window].reshape(-1, 3),
        predictor.config.renderer,
        jitter=True,
    )
    views = predictor.assemble([rendered], replace(chosen, width=columns))
    assert views.rgb is not None
    assert views.language is not None
    scale = supervised.frame.images.shape[-1] // rig.width
    picture = supervised.frame.images[cameras][..., scale * window.start : scale * window.stop]
    picture = F.interpolate(picture, size=views.rgb.shape[-2:], mode="area")
    language = views.language.permute(0, 2, 3, 1).flatten(0, 2)
    return {
        "color": (views.rgb - picture).abs().mean(),
        "depth": log_distance_loss(views.ray_distance_m, targets.distance_m[cameras][:, :, window], config.sky_m),
        "opacity": opacity_loss(views.opacity) + opacity_loss(encoded.depth.coarse.opacity),
        "entropy": weight_entropy(rendered.gap_weights),
        "language": language_loss(language, targets.labels[cameras][:, :, window].flatten(), codec.class_features),
    }
