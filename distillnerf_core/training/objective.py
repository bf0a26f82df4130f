"""The loss of one glance."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.model.predictor import DepthEstimate, ScenePredictor, Stages
from distillnerf_core.training.config import ObjectiveConfig
from distillnerf_core.training.losses import (
    candidate_loss,
    interval_loss,
    log_distance_loss,
)
from distillnerf_core.training.point_supervision import point_losses
from distillnerf_core.training.targets import PixelTargets, pixel_targets
from distillnerf_core.training.view_losses import other_view_losses, own_view_losses


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
    codec: FeatureSpace,
    config: ObjectiveConfig,
    generator: torch.Generator,
    perceptual: Lpips | None = None,
) -> Objective:
    """Encodes a glance with some of its cameras, renders parts of it, and compares with the ground truth.

    Args:
        predictor: Network in training mode.
        supervised: Glance with ground truth, on the network's device.
        codec: What rendered features mean; those of classes are learnt where it knows them.
        config: Losses and sampling.
        generator: Source of randomness (CPU).
        perceptual: Judge of rendered pictures, where that term is on.
    """
    supervised = drop_cameras(supervised, config, generator)
    plain = torch.rand((), generator=generator).item() < config.one_stage_share
    encoded = predictor.encode_scene(supervised.frame, Stages(not plain, not plain))
    targets = pixel_targets(supervised, encoded.depth.rig.height, encoded.depth.rig.width)
    fine = predictor.config.two_stage_depth and not plain
    terms = _depth_terms(predictor, encoded.depth, targets, config, fine)
    terms |= own_view_losses(predictor, encoded, supervised, targets, codec, config, generator, perceptual)
    terms |= other_view_losses(predictor, encoded, supervised.others, config, generator)
    points = point_losses(encoded.field, supervised, codec.class_features, config.points, generator)
    terms["occupancy"] = points.occupancy
    if points.language is not None:
        terms["point_language"] = points.language
    return _weigh(terms, config)


def compute_depth_objective(
    predictor: ScenePredictor, supervised: SupervisedFrame, config: ObjectiveConfig
) -> Objective:
    """Supervises both depth stages alone: a fifth of the work, for the first part of a training run."""
    depth = predictor.estimate_depth(supervised.frame, Stages())
    targets = pixel_targets(supervised, depth.rig.height, depth.rig.width)
    return _weigh(_depth_terms(predictor, depth, targets, config, predictor.config.two_stage_depth), config)


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
        others=tuple(views.select(keep) for views in supervised.others),
        features=None if supervised.features is None else supervised.features[keep],
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
