"""The static part of the field, and two forms of its moving part (sections 3.3, 3.4 and 13.3)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from distillnerf_core.teachers.field.box_poses import BoxPoses
from distillnerf_core.teachers.field.config import FieldConfig
from distillnerf_core.teachers.field.densities import density_of_logit
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.grid_layout import GridConfig, GridLayout
from distillnerf_core.teachers.field.hash_grid import HashGrid
from distillnerf_core.teachers.field.networks import perceptron
from distillnerf_core.teachers.field.rendering import PartSamples
from distillnerf_core.teachers.field.scene_box import SceneBox


class GridNetwork(nn.Module):
    """A hash grid and a small network: density and geometry feature at positions of the unit cube.

    Args:
        layout: Of the grid.
        grid: Its configuration.
        width: Of the hidden layer.
        geometry: Channels of the output; the first is the density's logit.
    """

    def __init__(self, layout: GridLayout, grid: GridConfig, width: int, geometry: int) -> None:
        super().__init__()
        self.grid = HashGrid(layout, grid.features)
        self.network = perceptron(self.grid.width, width, geometry)

    def forward(
        self, positions: Float[Tensor, "points axes"], keys: Int64[Tensor, " points"] | None = None
    ) -> tuple[Float[Tensor, " points"], Float[Tensor, "points geometry"]]:
        """Returns density in 1/m and the geometry feature."""
        geometry: Tensor = self.network(self.grid(positions, keys))
        return density_of_logit(geometry[:, 0]), geometry


class StaticPart(GridNetwork):
    """What stands still, in the contracted box of the scene."""

    def __init__(self, box: SceneBox, grid: GridConfig, width: int, geometry: int) -> None:
        super().__init__(GridLayout.of(grid, 3), grid, width, geometry)
        self.box = box

    def at(
        self, points_m: Float[Tensor, "rays samples 3"]
    ) -> tuple[Float[Tensor, "rays samples"], Float[Tensor, "rays samples geometry"]]:
        """Returns density and geometry feature at points of the field's frame."""
        density, geometry = self(self.box.contract(points_m).flatten(0, 1))
        return density.view(points_m.shape[:2]), geometry.view(*points_m.shape[:2], geometry.shape[-1])


class BoxPart(nn.Module):
    """What moves in labelled boxes: a grid in each box's own frame, all in one table."""

    def __init__(self, poses: BoxPoses, config: FieldConfig) -> None:
        super().__init__()
        self.poses = poses
        layout = GridLayout.of(config.boxes, 3, keyed=True)
        self.network = GridNetwork(layout, config.boxes, config.width, config.geometry)

    def forward(self, rays: FieldRays, distances_m: Float[Tensor, "rays samples"]) -> PartSamples:
        """Returns the samples in boxes."""
        index, box, place = self.poses.inside(rays, distances_m)
        density, geometry = self.network(place, box)
        return PartSamples(index, density, geometry, torch.zeros_like(density))


class TimePart(nn.Module):
    """What moves, where nothing is labelled: a grid over space and time.

    Args:
        box: Of the scene.
        duration_s: Length of the drive.
        steps: Sweeps in it; time is resolved no finer (section 10, item 9).
        config: Architecture.
    """

    def __init__(self, box: SceneBox, duration_s: float, steps: int, config: FieldConfig) -> None:
        super().__init__()
        self.box, self.duration_s = box, max(duration_s, 1e-3)
        layout = GridLayout.of(config.time, 4, time_cells=max(steps - 1, 1))
        self.network = GridNetwork(layout, config.time, config.width, config.geometry)
        self.shadow = perceptron(config.geometry, config.width, 1) if config.shadows else None

    def forward(self, rays: FieldRays, distances_m: Float[Tensor, "rays samples"]) -> PartSamples:
        """Returns all samples."""
        places = self.box.contract(rays.points_m(distances_m)).flatten(0, 1)
        times = (rays.times_s / self.duration_s).clamp(0.0, 1.0).repeat_interleave(distances_m.shape[1])
        density, geometry = self.network(torch.cat((places, times[:, None]), dim=1))
        shadow = torch.zeros_like(density) if self.shadow is None else self.shadow(geometry)[:, 0].sigmoid()
        index = torch.arange(len(density), device=density.device)
        return PartSamples(index, density, geometry, shadow)
