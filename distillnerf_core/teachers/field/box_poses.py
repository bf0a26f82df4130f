"""Poses of all moving boxes at any time, as tensors."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor, nn

from distillnerf_core.data.drive import BoxTrack
from distillnerf_core.teachers.field.field_rays import FieldRays

_MARGIN_S = 0.3


class BoxPoses(nn.Module):
    """Upright boxes that are interpolated in time like `BoxTrack.pose`.

    Args:
        tracks: Objects, one at least.
        field_from_world: Rigid transform [4 4] into the frame of the field, z up as well.
        start_ns: Time zero.
        scale: Factor by which the boxes are enlarged, to the sides and upwards: the ground below does not move.
    """

    times_s: Tensor
    centers_m: Tensor
    yaws: Tensor
    half_m: Tensor

    def __init__(
        self, tracks: Sequence[BoxTrack], field_from_world: NDArray[np.float64], start_ns: int, scale: float
    ) -> None:
        super().__init__()
        length = 1 + max(len(track.stamps_ns) for track in tracks)
        rows = [_row(track, field_from_world, start_ns, length) for track in tracks]
        for name, number in (("times_s", 0), ("centers_m", 1), ("yaws", 2)):
            self.register_buffer(name, torch.from_numpy(np.stack([row[number] for row in rows])).float())
        half_m = torch.tensor([track.size_lwh_m for track in tracks]).float() * (0.5 * scale)
        self.register_buffer("half_m", half_m)
        self.centers_m[..., 2] += (half_m[:, 2] * (1.0 - 1.0 / scale))[:, None]

    def at(
        self, times_s: Float[Tensor, " rays"]
    ) -> tuple[Float[Tensor, "boxes rays 3"], Float[Tensor, "boxes rays"], Bool[Tensor, "boxes rays"]]:
        """Returns the middle, the heading, and whether the box was there, of each box at each time."""
        asked = times_s[None].expand(len(self.times_s), -1).contiguous()
        after = torch.searchsorted(self.times_s, asked, right=True).clamp(1, self.times_s.shape[1] - 1)
        begin, end = self.times_s.gather(1, after - 1), self.times_s.gather(1, after)
        share = ((asked - begin) / (end - begin).clamp_min(1e-6)).clamp(0.0, 1.0)
        box = torch.arange(len(self.times_s), device=times_s.device)[:, None]
        centers = torch.lerp(self.centers_m[box, after - 1], self.centers_m[box, after], share[..., None])
        yaws = torch.lerp(self.yaws[box, after - 1], self.yaws[box, after], share)
        there = (asked >= self.times_s[:, :1] - _MARGIN_S) & (asked <= self.times_s[:, -1:] + _MARGIN_S)
        return centers, yaws, there

    def inside(
        self, rays: FieldRays, distances_m: Float[Tensor, "rays samples"]
    ) -> tuple[Int64[Tensor, " entries"], Int64[Tensor, " entries"], Float[Tensor, "entries 3"]]:
        """Finds the samples that lie in boxes.

        Returns:
            Number of the sample, counted over all rays; number of the box; place in it in [0, 1]^3.
        """
        centers, yaws, there = self.at(rays.times_s)
        origins = _turned(rays.origins_m[None] - centers, yaws)
        directions = _turned(rays.directions[None].expand_as(centers), yaws)
        box, ray = torch.nonzero(there & _hits(origins, directions, self.half_m[:, None]), as_tuple=True)
        local = origins[box, ray][:, None] + distances_m[ray][..., None] * directions[box, ray][:, None]
        place = local / (2.0 * self.half_m[box][:, None]) + 0.5
        pair, sample = torch.nonzero(((place > 0.0) & (place < 1.0)).all(dim=-1), as_tuple=True)
        return ray[pair] * distances_m.shape[1] + sample, box[pair], place[pair, sample]


def _row(
    track: BoxTrack, field_from_world: NDArray[np.float64], start_ns: int, length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns times, middles and headings of a track, the last repeated up to a length."""
    poses = field_from_world @ track.box_to_world
    times = (track.stamps_ns - start_ns) * 1e-9
    yaws = np.unwrap(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))
    missing = length - len(times)
    return (
        np.pad(times, (0, missing), mode="edge"),
        np.pad(poses[:, :3, 3], ((0, missing), (0, 0)), mode="edge"),
        np.pad(yaws, (0, missing), mode="edge"),
    )


def _turned(vectors: Float[Tensor, "boxes rays 3"], yaws: Float[Tensor, "boxes rays"]) -> Tensor:
    """Turns vectors by -yaw about z."""
    x, y, z = vectors.unbind(-1)
    cosine, sine = yaws.cos(), yaws.sin()
    return torch.stack((cosine * x + sine * y, cosine * y - sine * x, z), dim=-1)


def _hits(origins: Tensor, directions: Tensor, half_m: Tensor) -> Bool[Tensor, "boxes rays"]:
    """Tells which rays meet which boxes (slab test in the boxes' frames)."""
    safe = torch.where(directions.abs() < 1e-9, 1e-9, directions)
    first, second = (-half_m - origins) / safe, (half_m - origins) / safe
    enter = torch.minimum(first, second).amax(dim=-1)
    leave = torch.maximum(first, second).amin(dim=-1)
    return (leave > enter) & (leave > 0.0)
