"""RayIoU: semantic occupancy judged along LiDAR-like rays (Liu et al., SparseOcc, ECCV 2024, section 4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from distillnerf_core.evaluation.confusion import CLASSES, IN_15
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import FREE

THRESHOLDS_M = (1.0, 2.0, 4.0)
AZIMUTHS = 360
_GROUND_RINGS = 10
_HIGHEST_PITCH = 0.21
"""The highest beam of nuScenes' LiDAR, radians."""
MAX_ORIGINS = 8
ORIGIN_RANGE_M = 39.0
_MAX_OUTSIDE_STEPS = 64


@dataclass(frozen=True)
class RayHits:
    """What rays meet first.

    Attributes:
        distance_m: Distance at which the ray leaves the first occupied voxel, or the grid if it meets none.
        labels: Class of that voxel, 17 for none.
    """

    distance_m: Float[Tensor, " rays"]
    labels: Int64[Tensor, " rays"]


@dataclass(frozen=True)
class RayScores:
    """Scores of many rays.

    Attributes:
        class_iou: One row for each threshold of :data:`THRESHOLDS_M`; NaN for a class that no ray has.
        ray_iou: Mean over the thresholds of the mean over the classes that are not NaN.
        ray_iou_15: The same without `others` and `other_flat`.
        at_threshold: The mean over classes at each threshold.
        rays: Number of rays compared.
    """

    class_iou: Float[Tensor, "thresholds classes"]
    ray_iou: float
    ray_iou_15: float
    at_threshold: tuple[float, ...]
    rays: int


def query_directions() -> Float[Tensor, "rays 3"]:
    """Returns the unit directions that RayIoU asks for: 39 pitches at each degree of azimuth, 14,040 rays.

    The lowest ten meet flat ground at 1, 2, ..., 10 times the height of the sensor; the others follow at the last
    difference in angle up to the first pitch of at least 0.21 rad.
    """
    pitches = [math.atan(ring) - math.pi / 2 for ring in range(1, _GROUND_RINGS + 1)]
    while pitches[-1] < _HIGHEST_PITCH:
        pitches.append(2 * pitches[-1] - pitches[-2])
    pitch = torch.tensor(pitches, dtype=torch.float64)[:, None]
    azimuth = torch.deg2rad(torch.arange(AZIMUTHS, dtype=torch.float64) * (360 / AZIMUTHS))[None]
    parts = (pitch.cos() * azimuth.cos(), pitch.cos() * azimuth.sin(), pitch.sin().expand(-1, AZIMUTHS))
    return torch.stack(parts, dim=-1).reshape(-1, 3)


def choose_origins(candidates_m: Float[Tensor, "places 3"]) -> Float[Tensor, "origins 3"]:
    """Chooses where rays begin: at most eight places of the LiDAR along the drive, evenly spread in time.

    Args:
        candidates_m: Places of the LiDAR at all key-frames of the drive in the ego frame of the judged one, in
            order of time. Places farther than 39 m in x or y, outside Occ3D's grid, do not count.
    """
    inside = candidates_m[(candidates_m[:, :2].abs() < ORIGIN_RANGE_M).all(dim=1)]
    if len(inside) <= MAX_ORIGINS:
        return inside
    return inside[torch.from_numpy(np.round(np.linspace(0, len(inside) - 1, MAX_ORIGINS)).astype(np.int64))]


def cast_rays(
    labels: Shaped[Tensor, "x y z"],
    grid: VoxelGrid,
    origins_m: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
) -> RayHits:
    """Walks through the voxels of a grid until the first occupied one (Amanatides and Woo, 1987).

    Args:
        labels: Labels 0..16; 17 and 255 are free.
        grid: Where the voxels are, ego frame.
        origins_m: Where each ray begins, ego frame, metres.
        directions: Unit directions.
    """
    device, size = origins_m.device, torch.tensor(grid.size, device=origins_m.device)
    lower = torch.tensor(grid.lower_m, dtype=torch.float64, device=device)
    start, direction = (origins_m.double() - lower) / grid.voxel_size_m, directions.double()
    cell, step = start.floor().long(), torch.where(direction >= 0, 1, -1)
    crossing = (cell + (step > 0) - start) / direction
    crossing = torch.where(direction == 0, math.inf, crossing)
    advance = (step / direction).abs()
    flat = labels.to(device).reshape(-1).long()
    distance, found = torch.zeros(len(start), dtype=torch.float64, device=device), torch.full_like(cell[:, 0], FREE)
    entered, alive = torch.zeros_like(found, dtype=torch.bool), torch.arange(len(start), device=device)
    for _ in range(sum(grid.size) + _MAX_OUTSIDE_STEPS):
        inside = ((cell[alive] >= 0) & (cell[alive] < size)).all(dim=1)
        alive = alive[inside | ~entered[alive]]
        if not len(alive):
            break
        inside = ((cell[alive] >= 0) & (cell[alive] < size)).all(dim=1)
        entered[alive] = inside
        place, axis = cell[alive], _next_axis(crossing[alive])
        left = crossing[alive, axis]
        index = ((place[:, 0] * size[1] + place[:, 1]) * size[2] + place[:, 2])[inside]
        distance[alive[inside]] = left[inside]
        found[alive[inside]] = flat[index]
        cell[alive, axis] += step[alive, axis]
        crossing[alive, axis] += advance[alive, axis]
        alive = alive[found[alive] >= FREE]
    return RayHits(distance * grid.voxel_size_m, found.masked_fill(found >= FREE, FREE))


def _next_axis(crossing: Float[Tensor, "rays 3"]) -> Int64[Tensor, " rays"]:
    """Returns the axis whose boundary comes first; of equal ones the later axis, as published."""
    return 2 - crossing.flip(dims=(1,)).argmin(dim=1)


@dataclass
class RayIouState:
    """Counts of rays by class, which add up over frames.

    For each ray, prediction and truth give the class of the first occupied voxel and the distance at which the ray
    leaves it (cast in the same way through both grids). Rays that meet nothing in the truth are left out, whatever
    is predicted there. A ray is a true positive of class c at threshold t if both sides say c and their distances
    differ by less than t. IoU_c(t) = TP_c(t) / (P_c + G_c - TP_c(t)) with P_c rays predicted and G_c rays truly of
    class c, counted over the whole data set. RayIoU is the mean over t of 1, 2 and 4 m of the mean over classes.
    No camera mask is used.

    Attributes:
        hits: True positives.
        predicted: Rays predicted of each class, of those that meet something in the truth.
        truth: Rays truly of each class.
    """

    hits: Int64[Tensor, "thresholds classes"] = field(
        default_factory=lambda: torch.zeros(len(THRESHOLDS_M), CLASSES, dtype=torch.int64)
    )
    predicted: Int64[Tensor, " classes"] = field(default_factory=lambda: torch.zeros(CLASSES, dtype=torch.int64))
    truth: Int64[Tensor, " classes"] = field(default_factory=lambda: torch.zeros(CLASSES, dtype=torch.int64))

    def add(
        self,
        predicted: Shaped[Tensor, "x y z"],
        truth: Shaped[Tensor, "x y z"],
        grid: VoxelGrid,
        origins_m: Float[Tensor, "origins 3"],
    ) -> None:
        """Counts the rays of a frame from some origins.

        Args:
            predicted: Labels 0..16; 17 and 255 count as free.
            truth: Likewise.
            grid: Where the voxels are, ego frame.
            origins_m: See :func:`choose_origins`.
        """
        directions = query_directions()
        origins = origins_m.double().repeat_interleave(len(directions), dim=0)
        rays = directions.repeat(len(origins_m), 1)
        self.add_hits(cast_rays(predicted, grid, origins, rays), cast_rays(truth, grid, origins, rays))

    def add_hits(self, predicted: RayHits, truth: RayHits) -> None:
        """Counts rays that were cast before."""
        counted = truth.labels != FREE
        says, is_ = predicted.labels[counted], truth.labels[counted]
        error = (predicted.distance_m[counted] - truth.distance_m[counted]).abs()
        self.predicted += _count(says[says != FREE])
        self.truth += _count(is_)
        for row, threshold in enumerate(THRESHOLDS_M):
            self.hits[row] += _count(is_[(says == is_) & (error < threshold)])

    def merge(self, other: "RayIouState") -> None:
        """Takes in the counts of other frames."""
        self.hits += other.hits
        self.predicted += other.predicted
        self.truth += other.truth

    def compute(self) -> RayScores:
        """Returns the scores of everything counted so far."""
        iou = self.hits.double() / (self.predicted + self.truth - self.hits)
        at_threshold = iou.nanmean(dim=1)
        return RayScores(
            class_iou=iou,
            ray_iou=float(at_threshold.mean()),
            ray_iou_15=float(iou[:, list(IN_15)].nanmean(dim=1).mean()),
            at_threshold=_floats(at_threshold.tolist()),
            rays=int(self.truth.sum()),
        )


def _count(labels: Int64[Tensor, " rays"]) -> Int64[Tensor, " classes"]:
    return torch.bincount(labels.cpu(), minlength=CLASSES)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
