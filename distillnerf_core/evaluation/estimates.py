"""What a method says about a glance, in the form that the metrics compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.rays import camera_rays, ray_distance_to_z_depth
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.text_space import EncodedQuery
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import PerceptionResult, SemanticOccupancy

FLAT_GROUND_M = 25.0
"""Where the flat-ground prior puts what is above the horizon."""


@dataclass(frozen=True)
class SceneEstimate:
    """An estimate of one glance.

    Attributes:
        z_depth_m: Depth of every input pixel, +inf beyond the range.
        rgb: Reconstruction of the input images.
        labels: Class of each voxel, 17 free, 255 unknown.
        scores: Score of each voxel for each text, 0 where nothing is.
    """

    z_depth_m: Float[Tensor, "cameras height width"]
    rgb: Float[Tensor, "cameras 3 height width"]
    labels: UInt8[Tensor, "x y z"]
    scores: Float[Tensor, "texts x y z"]


@runtime_checkable
class Method(Protocol):
    """Anything that perceives."""

    def estimate(self, frame: MultiViewFrame, texts: Sequence[str]) -> SceneEstimate:
        """Perceives one glance and scores its voxels for texts."""


@dataclass(frozen=True)
class PipelineMethod:
    """The product's own pipeline, judged on what it publishes."""

    pipeline: PerceptionPipeline

    def estimate(self, frame: MultiViewFrame, texts: Sequence[str]) -> SceneEstimate:
        """Perceives one glance; see :func:`images_at_size` for how images reach the input's size."""
        result = self.pipeline.perceive(frame)
        assert result.occupancy is not None
        z_depth_m, rgb = images_at_size(result, frame.rig.height, frame.rig.width)
        scores = voxel_scores(result.occupancy, self.pipeline.encode_query(TextQuery(tuple(texts))))
        return SceneEstimate(z_depth_m, rgb, result.occupancy.labels.cpu(), scores)


def voxel_scores(occupancy: SemanticOccupancy, encoded: EncodedQuery) -> Float[Tensor, "texts x y z"]:
    """Scores every voxel of a grid against the texts of a question, on the CPU; 0 where nothing is."""
    found = encoded.score(occupancy.occupied.features).float().cpu()
    scores = torch.zeros(len(found), *occupancy.grid.size)
    x, y, z = occupancy.occupied.index.cpu().unbind(dim=1)
    scores[:, x, y, z] = found
    return scores


def images_at_size(
    result: PerceptionResult, height: int, width: int
) -> tuple[Float[Tensor, "cameras height width"], Float[Tensor, "cameras 3 height width"]]:
    """Interpolates depth and colour to an image size: depth in inverse depth, both bilinearly.

    Args:
        result: A result with depth and colour.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        Z-depth in metres, +inf beyond the range, and colour, both on the CPU.
    """
    assert result.depth is not None
    assert result.rgb is not None
    inverse = 1.0 / result.depth.z_depth_m.clamp_min(0.1)
    full = F.interpolate(inverse[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]
    rgb = F.interpolate(result.rgb, size=(height, width), mode="bilinear", align_corners=False)
    return (1.0 / full).cpu(), rgb.cpu()


@dataclass(frozen=True)
class FlatGroundMethod:
    """A prior that looks at no image: flat road, and everything above the horizon at one distance.

    Attributes:
        constant_m: That distance along the ray.
        grid: Where occupancy is asked for.
    """

    constant_m: float
    grid: VoxelGrid

    def estimate(self, frame: MultiViewFrame, texts: Sequence[str]) -> SceneEstimate:
        """Knows the calibration only; its colour is the mean colour of each image, its answers are all the same."""
        rays = camera_rays(frame.rig)
        descent = (-rays.directions[..., 2]).clamp_min(1e-6)
        distance = (rays.origins_m[..., 2] / descent).clamp(0.1, self.constant_m)
        index, inside = self.grid.indices(torch.tensor([[0.0, 0.0, 0.0]]))
        labels = torch.full(self.grid.size, FREE, dtype=torch.uint8)
        if bool(inside[0]):
            labels[:, :, int(index[0, 2])] = CLASS_NAMES.index("driveable_surface")
        scores = (labels != FREE).float().expand(len(texts), *self.grid.size)
        rgb = frame.images.mean(dim=(2, 3), keepdim=True).expand_as(frame.images)
        return SceneEstimate(ray_distance_to_z_depth(distance, frame.rig), rgb, labels, scores)
