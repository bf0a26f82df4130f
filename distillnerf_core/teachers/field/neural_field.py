"""The whole field: parts, colours, sky, and the samples along rays (sections 3 to 5)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distillnerf_core.teachers.field.config import FieldConfig
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.networks import ColorHead, SkyHead
from distillnerf_core.teachers.field.parts import BoxPart, StaticPart, TimePart
from distillnerf_core.teachers.field.proposal_loss import SampledRound
from distillnerf_core.teachers.field.ray_spacing import to_distance
from distillnerf_core.teachers.field.rendering import (
    Densities,
    PartSamples,
    RenderedRays,
    composite_color,
    render_densities,
)
from distillnerf_core.teachers.field.resampling import cumulative_share, resample
from distillnerf_core.teachers.field.scene_box import SceneBox

Phases = Float[Tensor, "rounds rays 1"]


@dataclass(frozen=True)
class FieldOutput:
    """What the field says about rays.

    Attributes:
        rendered: Distances and opacities.
        color: RGB; None where it was not asked for.
        densities: At the rendered samples.
        rounds: Proposals, from coarse to fine.
        final: The rendered intervals.
    """

    rendered: RenderedRays
    color: Float[Tensor, "rays 3"] | None
    densities: Densities
    rounds: tuple[SampledRound, ...]
    final: SampledRound


class NeuralField(nn.Module):
    """A scene as a function of place, time, direction and image.

    Args:
        box: Of the scene.
        images: Rows of the appearance table.
        config: Architecture.
        moving: The moving part; None without one.
    """

    def __init__(self, box: SceneBox, images: int, config: FieldConfig, moving: BoxPart | TimePart | None) -> None:
        super().__init__()
        self.config = config
        self.static = StaticPart(box, config.static, config.width, config.geometry)
        self.moving = moving
        self.color_head = ColorHead(config.geometry, config.appearance, config.width)
        self.sky_head = SkyHead(config.appearance, config.width)
        self.appearance = nn.Parameter(torch.randn(images, config.appearance))
        self.proposal = StaticPart(box, config.proposal, config.width, 1)

    def forward(
        self, rays: FieldRays, phases: Phases | None = None, color: bool = True, proposals: bool = False
    ) -> FieldOutput:
        """Renders rays.

        Args:
            rays: The rays.
            phases: Where samples lie within their shares, for each round and ray; None: in the middle.
            color: Whether colours are wanted.
            proposals: Whether gradients flow into the proposals.
        """
        edges, rounds = self.sample(rays, phases, proposals)
        edges_m = to_distance(edges)
        middles = 0.5 * (edges_m[:, 1:] + edges_m[:, :-1])
        static, geometry = self.static.at(rays.points_m(middles))
        moving = None if self.moving is None else self.moving(rays, middles)
        densities = Densities.of(self._standing(static, moving), moving)
        rendered = render_densities(densities, edges_m)
        final = SampledRound(edges, cumulative_share(densities.total.detach(), edges_m))
        colors = self._color(rays, rendered, densities, geometry) if color else None
        return FieldOutput(rendered, colors, densities, rounds, final)

    def sample(
        self, rays: FieldRays, phases: Phases | None = None, proposals: bool = False
    ) -> tuple[Float[Tensor, "rays edges"], tuple[SampledRound, ...]]:
        """Draws the intervals of rays in three rounds (section 4.3); positions are in [0, 1], see `ray_spacing`."""
        counts = (*self.config.proposal_intervals, self.config.intervals)
        if phases is None:
            phases = rays.times_s.new_full((len(counts), len(rays), 1), 0.5)
        edges = torch.tensor([[0.0, 1.0]], device=rays.times_s.device).expand(len(rays), 2)
        cumulative = edges
        rounds: list[SampledRound] = []
        for count, phase in zip(counts, phases, strict=True):
            edges = resample(edges, cumulative.detach(), count, phase)
            if len(rounds) < len(counts) - 1:
                with torch.set_grad_enabled(proposals and torch.is_grad_enabled()):
                    cumulative = self._proposed(rays, to_distance(edges))
                rounds.append(SampledRound(edges, cumulative))
        return edges, tuple(rounds)

    def _proposed(self, rays: FieldRays, edges_m: Tensor) -> Tensor:
        middles = 0.5 * (edges_m[:, 1:] + edges_m[:, :-1])
        density, _ = self.proposal.at(rays.points_m(middles))
        if isinstance(self.moving, BoxPart):
            # The proposals know no time; where the boxes are is known.
            with torch.no_grad():
                moving = self.moving(rays, middles)
                added = moving.added_to(torch.zeros_like(density))
            density = self._standing(density, moving) + added
        return cumulative_share(density, edges_m)

    def _standing(self, density: Float[Tensor, "rays samples"], moving: PartSamples | None) -> Tensor:
        """Takes what stands out of the boxes of what moves, where it would show as a ghost."""
        if moving is None or not (self.config.clear_boxes and isinstance(self.moving, BoxPart)):
            return density
        return density.flatten().index_fill(0, moving.index, 0.0).view(density.shape)

    def _color(self, rays: FieldRays, rendered: RenderedRays, densities: Densities, geometry: Tensor) -> Tensor:
        appearance = self.appearance_of(rays)
        samples = geometry.shape[1]
        shape = (*geometry.shape[:2], -1)
        static = self.color_head(rays.directions[:, None].expand(shape), appearance[:, None].expand(shape), geometry)
        moving = static.new_zeros(0, 3)
        if densities.moving is not None:
            ray = densities.moving.index // samples
            moving = self.color_head(rays.directions[ray], appearance[ray], densities.moving.geometry)
        sky = self.sky_head(rays.directions, appearance)
        return composite_color(rendered.weights, densities, static, moving, sky)

    def appearance_of(self, rays: FieldRays) -> Float[Tensor, "rays appearance"]:
        """Returns the appearance of each ray's image; without an image the mean of all."""
        mean = self.appearance.mean(dim=0)
        return torch.where(rays.images[:, None] < 0, mean, self.appearance[rays.images.clamp_min(0)])
