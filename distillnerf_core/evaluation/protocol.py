"""The protocol on simulated streets: depth, occupancy, reconstruction and text queries against exact truth."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from distillnerf_core.evaluation.estimates import Method, SceneEstimate
from distillnerf_core.evaluation.metrics import average_precision, depth_errors, occupancy_counts, psnr
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.language.classes import CLASS_NAMES, UNKNOWN

MAX_DEPTH_M = 50.0

QUERY_WORDS: Mapping[str, str] = {
    "automobile": "car",
    "person walking": "pedestrian",
    "oak tree": "vegetation",
    "house": "manmade",
    "asphalt street": "driveable_surface",
}
"""Words that are not the class's name nor among the teacher's prompts, and the class that each means."""


@dataclass(frozen=True)
class Summary:
    """A figure over scenes.

    Attributes:
        mean: Mean over the scenes where it is defined.
        spread: Standard deviation over these scenes.
        scenes: Their number.
    """

    mean: float
    spread: float
    scenes: int


def evaluate_method(method: Method, frames: Iterable[SupervisedFrame]) -> list[dict[str, float]]:
    """Measures a method on frames; one row of figures for each frame."""
    return [frame_figures(method.estimate(frame.frame, tuple(QUERY_WORDS)), frame) for frame in frames]


def frame_figures(estimate: SceneEstimate, truth: SupervisedFrame) -> dict[str, float]:
    """Compares an estimate with the truth.

    Depth: z-depth of every pixel whose true depth is below 50 m, without scaling. Occupancy and queries: all
    voxels that a camera ray passes or ends in. Average precision of a query is over these voxels, free ones
    included, so it judges geometry and meaning together; `frequency` is what a random order reaches.
    """
    true_z = ray_distance_to_z_depth(truth.ray_distance_m, truth.frame.rig)
    depth = depth_errors(estimate.z_depth_m, true_z, max_m=MAX_DEPTH_M)
    counts = occupancy_counts(estimate.labels, truth.occupancy, truth.visible)
    figures = {
        "abs_rel": depth.abs_rel,
        "delta1": depth.delta1,
        "rmse_m": depth.rmse,
        "iou": counts.iou(),
        "miou": counts.miou(),
        "psnr_db": psnr(estimate.rgb.clamp(0, 1), truth.frame.images),
    }
    known = truth.visible & (truth.occupancy != UNKNOWN)
    for row, (word, class_name) in enumerate(QUERY_WORDS.items()):
        positive = truth.occupancy[known] == CLASS_NAMES.index(class_name)
        frequency = float(positive.float().mean())
        precision = average_precision(estimate.scores[row][known], positive)
        figures[f"ap {word}"] = precision
        figures[f"frequency {word}"] = frequency if frequency > 0 else math.nan
        figures[f"ratio {word}"] = precision / frequency if frequency > 0 else math.nan
    return figures


def summarise(rows: list[dict[str, float]], frames_per_scene: int) -> dict[str, Summary]:
    """Averages the frames of each scene, then gives mean and spread over the scenes."""
    result = {}
    for name in rows[0]:
        values = torch.tensor([row[name] for row in rows], dtype=torch.float64).view(-1, frames_per_scene)
        scenes = values.nanmean(dim=1)
        scenes = scenes[~scenes.isnan()]
        spread = float(scenes.std()) if len(scenes) > 1 else 0.0
        result[name] = Summary(float(scenes.mean()) if len(scenes) else math.nan, spread, len(scenes))
    return result
