"""How well a predictor represents a recorded frame: colour, LiDAR depth, and objects found by word."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.data.frame_folder import RecordedFrame
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.evaluation.estimates import FLAT_GROUND_M, FlatGroundMethod, images_at_size
from distillnerf_core.evaluation.metrics import depth_errors, psnr
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import QueryResult, TextQuery

LIDAR_RANGE_M = 80.0


def recorded_figures(
    pipeline: PerceptionPipeline, recorded: RecordedFrame, truth: SupervisedFrame, word: str
) -> dict[str, float]:
    """Measures a pipeline on one recorded frame.

    Args:
        pipeline: What is judged.
        recorded: The frame, with boxes.
        truth: The same frame with LiDAR distances for pixels.
        word: An object class that is labelled in the frame.

    Returns:
        PSNR over all input images at network size; LiDAR depth errors (nearest point of each pixel, below 80 m,
        no scaling); and for the query, the share of found voxels inside labelled boxes of that class beside the
        share of all occupied voxels there.
    """
    result = pipeline.perceive(truth.frame)
    z_depth_m, rgb = images_at_size(result, truth.frame.rig.height, truth.frame.rig.width)
    return {
        "psnr_db": psnr(rgb.clamp(0, 1), truth.frame.images),
        **_depth_figures(z_depth_m, truth),
        **_query_figures(pipeline.query(result, TextQuery((word,))), recorded.boxes, word),
    }


def flat_ground_figures(truth: SupervisedFrame) -> dict[str, float]:
    """Measures what knows the calibration only: flat ground, and everything above the horizon at one distance."""
    estimate = FlatGroundMethod(FLAT_GROUND_M, truth.grid).estimate(truth.frame, ())
    return _depth_figures(estimate.z_depth_m, truth)


def _depth_figures(z_depth_m: Float[Tensor, "cameras height width"], truth: SupervisedFrame) -> dict[str, float]:
    lidar_z = ray_distance_to_z_depth(truth.ray_distance_m, truth.frame.rig)
    depth = depth_errors(z_depth_m, lidar_z, max_m=LIDAR_RANGE_M)
    return {
        "lidar_abs_rel": depth.abs_rel,
        "lidar_delta1": depth.delta1,
        "lidar_pixels": float(depth.count),
    }


def _query_figures(answer: QueryResult, boxes: Sequence[LabelledBox], word: str) -> dict[str, float]:
    """Compares the voxels that a text finds with the boxes of the class of that name."""
    wanted = CLASS_NAMES.index(word)
    inside = torch.zeros(len(answer.centers_m), dtype=torch.bool)
    for box in boxes:
        if box.occ3d_class == wanted:
            inside |= box.contains(answer.centers_m.cpu())
    found = answer.scores[0].cpu() >= answer.threshold
    base_rate = float(inside.float().mean()) if len(inside) else math.nan
    precision = float(inside[found].float().mean()) if bool(found.any()) else 0.0
    return {
        "query_found": float(found.sum()),
        "query_precision": precision,
        "query_base_rate": base_rate,
        "query_ratio": precision / base_rate if base_rate > 0 else math.nan,
    }
