"""Direct supervision of 3D points: free, occupied and of which class (see the README on why)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import FREE, UNKNOWN
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.training.losses import language_loss

LAYERS = 3
"""Heights at which a voxel is probed; thin surfaces such as the ground fill only one of them."""


@dataclass(frozen=True)
class PointLosses:
    """Losses at sampled voxels.

    Attributes:
        occupancy: Cross entropy of free against occupied.
        language: Language loss of the occupied ones; None where features do not mean classes.
    """

    occupancy: Float[Tensor, ""]
    language: Float[Tensor, ""] | None


def sample_voxels(
    frame: SupervisedFrame, count: int, generator: torch.Generator
) -> tuple[Int64[Tensor, "voxels 3"], Int64[Tensor, " voxels"]]:
    """Draws visible voxels: a third of them occupied, rare classes more often than their share, the others free.

    Returns:
        Voxel indices and their labels (17 free).
    """
    labels = frame.occupancy
    usable = frame.visible & (labels != UNKNOWN)
    occupied = ((labels != FREE) & usable).flatten().nonzero()[:, 0]
    free = ((labels == FREE) & usable).flatten().nonzero()[:, 0]
    share = count // 3
    if len(occupied) > share:
        classes = labels.flatten()[occupied].long().cpu()
        rarity = torch.bincount(classes).clamp_min(1).float().rsqrt()
        occupied = occupied[torch.multinomial(rarity[classes], share, generator=generator).to(occupied.device)]
    if len(free) > count - share:
        free = free[torch.randint(len(free), (count - share,), generator=generator).to(free.device)]
    chosen = [occupied, free]
    flat = torch.cat(chosen)
    _, size_y, size_z = labels.shape
    index = torch.stack((flat // (size_y * size_z), flat // size_z % size_y, flat % size_z), dim=1)
    return index, labels.flatten()[flat].long()


def probe_points(index: Int64[Tensor, "voxels 3"], grid: VoxelGrid) -> Float[Tensor, "voxels layers 3"]:
    """Returns the centres of each voxel's horizontal layers, metres, ego frame."""
    lower = torch.tensor(grid.lower_m, device=index.device)
    corner = lower + index * grid.voxel_size_m
    heights = (torch.arange(LAYERS, device=index.device) + 0.5) / LAYERS
    offsets = torch.stack((torch.full_like(heights, 0.5), torch.full_like(heights, 0.5), heights), dim=1)
    return corner[:, None] + offsets * grid.voxel_size_m


def point_losses(
    field: SceneField,
    frame: SupervisedFrame,
    class_features: Float[Tensor, "classes channels"] | None,
    count: int,
    generator: torch.Generator,
) -> PointLosses:
    """Compares the field with sampled voxels of the ground truth.

    A voxel is occupied if any of its layers is, which is how occupancy is read from the field as well. Points
    where the field has no voxel are constant and teach nothing.
    """
    index, labels = sample_voxels(frame, count, generator)
    samples = field.query(probe_points(index, frame.grid).reshape(-1, 3))
    logits, layer = samples.logits.view(-1, LAYERS).max(dim=1)
    reached = samples.occupied.view(-1, LAYERS).any(dim=1)
    solid = labels != FREE
    errors = F.binary_cross_entropy_with_logits(logits[reached], solid[reached].float(), reduction="none")
    occupancy = errors.sum() / reached.sum().clamp_min(1)
    if class_features is None:
        return PointLosses(occupancy, None)
    features = samples.features.view(len(labels), LAYERS, -1)
    features = features.gather(1, layer[:, None, None].expand(-1, 1, features.shape[-1]))[:, 0]
    known = reached & solid
    return PointLosses(occupancy, language_loss(features[known], labels[known], class_features))
