"""The loss of a batch of pixels and of a batch of LiDAR returns (sections 6 and 13.3)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.teachers.field.config import FieldLossWeights
from distillnerf_core.teachers.field.drive_rays import PixelBatch
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.losses import (
    color_loss,
    gaussian_mass,
    line_of_sight_loss,
    range_loss,
    sky_loss,
)
from distillnerf_core.teachers.field.neural_field import FieldOutput, NeuralField, Phases
from distillnerf_core.teachers.field.parts import TimePart
from distillnerf_core.teachers.field.proposal_loss import proposal_loss
from distillnerf_core.teachers.field.schedules import line_of_sight_margin_m, line_of_sight_weight


@dataclass
class Objective:
    """A weighted sum of terms.

    Attributes:
        terms: Each term, weighted.
    """

    terms: dict[str, Float[Tensor, ""]] = field(default_factory=dict)

    def add(self, name: str, weight: float, term: Float[Tensor, ""]) -> None:
        """Adds a weighted term."""
        if weight > 0:
            self.terms[name] = weight * term

    @property
    def total(self) -> Float[Tensor, ""]:
        """Sum of all terms."""
        return torch.stack(list(self.terms.values())).sum()


def pixel_objective(
    network: NeuralField, batch: PixelBatch, weights: FieldLossWeights, phases: Phases, proposals: bool
) -> Objective:
    """Judges the colours, and the opacity where the sky is known, of a batch of pixels."""
    output = network(batch.rays, phases, proposals=proposals)
    assert output.color is not None
    objective = Objective()
    objective.add("color", weights.color, color_loss(output.color, batch.colors))
    if batch.sky is not None:
        objective.add("sky", weights.sky, sky_loss(output.rendered.opacity, batch.sky))
    _add_common(objective, network, output, weights, proposals)
    moving = output.densities.moving
    if moving is not None and bool((moving.shadow > 0).any()):
        stopped = output.rendered.weights.flatten()[moving.index] * moving.shadow.square()
        objective.add("shadow", weights.shadow, stopped.sum() / len(batch.rays))
    return objective


def lidar_objective(
    network: NeuralField,
    rays: FieldRays,
    range_m: Float[Tensor, " rays"],
    weights: FieldLossWeights,
    phases: Phases,
    proposals: bool,
    share: float,
) -> Objective:
    """Judges distances and free space of a batch of LiDAR returns; `share` is the progress of the run."""
    output = network(rays, phases, color=False, proposals=proposals)
    rendered, objective = output.rendered, Objective()
    objective.add("distance", weights.distance, range_loss(rendered.distance_m, range_m))
    margin = line_of_sight_margin_m(share)
    middles = 0.5 * (rendered.edges_m[:, 1:] + rendered.edges_m[:, :-1])
    mass = gaussian_mass(rendered.edges_m, range_m, margin)
    sight = line_of_sight_loss(rendered.weights, middles, mass, range_m, margin)
    objective.add("line_of_sight", weights.line_of_sight * line_of_sight_weight(share), sight)
    _add_common(objective, network, output, weights, proposals)
    return objective


def _add_common(
    objective: Objective, network: NeuralField, output: FieldOutput, weights: FieldLossWeights, proposals: bool
) -> None:
    moving = output.densities.moving
    if moving is not None and isinstance(network.moving, TimePart):
        # Labelled boxes leave no choice between what stands and what moves; sparse vehicles would only be transparent.
        objective.add("moving", weights.moving, moving.density.sum() / output.densities.total.numel())
    if proposals:
        objective.add("proposal", weights.proposal, proposal_loss(output.final, output.rounds))
