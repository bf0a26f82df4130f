"""What is at a point of a perceived frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.language.text_space import EncodedQuery, TextSpace
from distillnerf_core.model.scene_field import FieldSamples
from distillnerf_core.perception.boxes import Corner
from distillnerf_core.perception.results import SemanticOccupancy


@runtime_checkable
class PointField(Protocol):
    """What is needed of a field here."""

    def query(self, points_m: Float[Tensor, "points 3"]) -> FieldSamples:
        """Evaluates the field at points of the ego frame, metres."""


@dataclass(frozen=True)
class Question:
    """Texts to compare a point with.

    Attributes:
        texts: What is asked.
        encoded: The same as features.
    """

    texts: tuple[str, ...]
    encoded: EncodedQuery


@dataclass(frozen=True)
class PointAnswer:
    """What is at a point.

    Attributes:
        occupied: Whether it lies in an occupied voxel of the grid.
        label: Label of the voxel; unknown outside the grid.
        confidence: Confidence of the voxel in its label, 0 outside the grid.
        density: Density of the field at the point, 1/m.
        scores: Texts with their scores in [0, 1], best first; empty where the field holds nothing.
    """

    occupied: bool
    label: int
    confidence: float
    density: float
    scores: tuple[tuple[str, float], ...]


@torch.inference_mode()
def look_at_point(
    occupancy: SemanticOccupancy,
    field: PointField,
    point_m: Corner,
    language: TextSpace,
    questions: Sequence[Question],
    top: int,
) -> PointAnswer:
    """Looks a point up in the grid and in the field.

    Args:
        occupancy: Semantic occupancy.
        field: The field that it was read from, which reaches beyond the grid.
        point_m: The point in the ego frame.
        language: Where features are compared with texts.
        questions: Texts to compare with.
        top: Most texts in the answer.

    Raises:
        QueryError: If a coordinate is not finite.
    """
    if not all(math.isfinite(value) for value in point_m):
        raise QueryError(f"the point must be finite, got {list(point_m)}")
    place = torch.tensor([point_m], dtype=torch.float32, device=occupancy.labels.device)
    index, inside = occupancy.grid.indices(place)
    samples = field.query(place)
    feature = language.voxel_features(samples.features) if bool(samples.occupied[0]) else None
    label, confidence, occupied = UNKNOWN, 0.0, False
    if bool(inside[0]):
        x, y, z = index[0].tolist()
        label, confidence = int(occupancy.labels[x, y, z]), float(occupancy.confidence[x, y, z])
        voxel = (occupancy.occupied.index == index).all(dim=1)
        occupied = bool(voxel.any())
        feature = occupancy.occupied.features[voxel] if occupied else feature
    scores = () if feature is None else _best(questions, feature, top)
    return PointAnswer(occupied, label, confidence, float(samples.density[0]), scores)


def _best(
    questions: Sequence[Question], feature: Float[Tensor, "1 channels"], top: int
) -> tuple[tuple[str, float], ...]:
    scored = [
        pair
        for question in questions
        for pair in zip(question.texts, question.encoded.score(feature)[:, 0].tolist(), strict=True)
    ]
    return tuple(sorted(scored, key=lambda pair: -pair[1])[:top])
