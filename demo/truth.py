"""How good the live outputs are: the simulated street knows every depth and every voxel."""

from collections.abc import Sequence
from statistics import mean

import numpy as np
import torch

from demo.live import LiveFrame
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.evaluation.metrics import depth_errors, occupancy_counts
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, reference_stamp_ns, simulate_sweep

MAX_DEPTH_M = 50.0


def compare_with_truth(frames: Sequence[LiveFrame], seed: int) -> dict[str, float]:
    """Measures published depth and occupancy against the exact ones, averaged over frames.

    Args:
        frames: What the node published.
        seed: Number of the street that was played.

    Returns:
        Depth AbsRel and delta1 below 50 m, occupancy IoU and mIoU over the classes present in the visible region.
    """
    scene = sample_scene(seed)
    rows = [_compare(frame, scene) for frame in frames]
    return {name: mean(row[name] for row in rows) for name in rows[0]} if rows else {}


def _compare(frame: LiveFrame, scene: StreetScene) -> dict[str, float]:
    height, width = frame.z_depth_m[0].shape
    start_ns = frame.stamp_ns - START_NS - reference_stamp_ns(0)
    truth = simulate_sweep(
        scene, start_ns, SimulationConfig(height=height, width=width, supersampling=1, shadows=False), frame.grid
    )
    order = [frame.cameras.index(name) for name in truth.frame.rig.names]
    depth = torch.from_numpy(np.stack([frame.z_depth_m[camera] for camera in order]))
    errors = depth_errors(depth, ray_distance_to_z_depth(truth.ray_distance_m, truth.frame.rig), max_m=MAX_DEPTH_M)
    counts = occupancy_counts(torch.from_numpy(frame.labels.copy()), truth.occupancy, truth.visible)
    union = (counts.predicted + counts.truth - counts.intersection).clamp_min(1)
    iou = counts.intersection.double() / union
    present = counts.truth[:-1] > 0
    return {
        "abs_rel": errors.abs_rel,
        "delta1": errors.delta1,
        "iou": float(iou[-1]),
        "miou": float(iou[:-1][present].mean()),
    }
