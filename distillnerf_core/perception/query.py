"""Answers to texts: a score for every occupied voxel, and the connected regions that score high."""

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.text_space import EncodedQuery
from distillnerf_core.perception.config import QueryConfig
from distillnerf_core.perception.regions import QueryRegion, find_regions
from distillnerf_core.perception.results import SemanticOccupancy

Box = tuple[float, float, float]


@dataclass(frozen=True)
class TextQuery:
    """A question about the scene.

    Attributes:
        texts: What to look for. Each is answered for itself; with the published network they compete.
        negatives: What an answer must beat. Empty: the classes that are no synonym, and the configured words;
            with the published network only where there is a single text.
        threshold: Least score of an answer; None: the configured one.
        box_min: Lower corner of the searched volume in the ego frame, metres; None: the whole grid.
        box_max: Upper corner; equal corners mean the whole grid.
    """

    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    threshold: float | None = None
    box_min: Box | None = None
    box_max: Box | None = None

    def __post_init__(self) -> None:
        if not self.texts:
            raise QueryError("texts is empty: give at least one text, for example ['car']")
        for name, texts in (("texts", self.texts), ("negatives", self.negatives)):
            for index, text in enumerate(texts):
                if not text.strip():
                    raise QueryError(f"{name}[{index}] is empty: write what to look for, for example 'car'")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise QueryError(f"threshold: expected a score in [0, 1], got {self.threshold}")
        if (self.box_min is None) != (self.box_max is None):
            raise QueryError("box_min and box_max belong together: give both or neither")
        if self.box_min is not None and self.box_max is not None:
            _check_box(self.box_min, self.box_max)

    @property
    def box(self) -> tuple[Box, Box] | None:
        """The searched volume; None for the whole grid."""
        if self.box_min is None or self.box_max is None or self.box_min == self.box_max:
            return None
        return self.box_min, self.box_max


@dataclass(frozen=True)
class QueryResult:
    """The answer to a :class:`TextQuery`.

    Attributes:
        texts: What was asked.
        threshold: Least score of an answer.
        centers_m: Centres of all occupied voxels of the searched volume, ego frame, metres.
        scores: Score of each of these voxels for each text, in [0, 1].
        max_score: Best score for each text, 0 where the volume holds no occupied voxel.
        count: Number of voxels at or above the threshold for each text.
        regions: Connected regions of such voxels, text by text, best first.
    """

    texts: tuple[str, ...]
    threshold: float
    centers_m: Float[Tensor, "voxels 3"]
    scores: Float[Tensor, "texts voxels"]
    max_score: Float[Tensor, " texts"]
    count: Int64[Tensor, " texts"]
    regions: tuple[QueryRegion, ...]


def answer_query(
    occupancy: SemanticOccupancy, query: TextQuery, encoded: EncodedQuery, config: QueryConfig
) -> QueryResult:
    """Scores the occupied voxels and gathers those above the threshold into regions.

    Args:
        occupancy: Occupied voxels with their features.
        query: The question.
        encoded: The same question as features.
        config: Defaults and limits.
    """
    threshold = config.threshold if query.threshold is None else query.threshold
    index, centers = occupancy.occupied.index, occupancy.occupied.centers_m(occupancy.grid)
    features = occupancy.occupied.features
    if query.box is not None:
        inside = _inside_box(centers, *query.box)
        index, centers, features = index[inside], centers[inside], features[inside]
    scores = encoded.score(features)
    found = scores >= threshold
    regions = [
        region
        for text, row, mask in zip(query.texts, scores, found, strict=True)
        for region in _regions(text, index[mask], row[mask], occupancy.grid, config)
    ]
    return QueryResult(
        texts=query.texts,
        threshold=threshold,
        centers_m=centers,
        scores=scores,
        max_score=scores.amax(dim=1) if len(centers) else scores.new_zeros(len(query.texts)),
        count=found.sum(dim=1),
        regions=tuple(regions),
    )


def _regions(text: str, index: Tensor, scores: Tensor, grid: VoxelGrid, config: QueryConfig) -> list[QueryRegion]:
    regions = find_regions(text, index.cpu().numpy(), scores.cpu().numpy(), grid, config.min_region_voxels)
    return regions[: config.max_regions]


def _inside_box(centers_m: Float[Tensor, "voxels 3"], box_min: Box, box_max: Box) -> Bool[Tensor, " voxels"]:
    lower, upper = centers_m.new_tensor(box_min), centers_m.new_tensor(box_max)
    return ((centers_m >= lower) & (centers_m <= upper)).all(dim=1)


def _check_box(box_min: Box, box_max: Box) -> None:
    if not all(math.isfinite(value) for value in (*box_min, *box_max)):
        raise QueryError(f"box corners must be finite, got {list(box_min)} and {list(box_max)}")
    if box_min != box_max and not all(low < high for low, high in zip(box_min, box_max, strict=True)):
        raise QueryError(
            f"box_min {list(box_min)} must lie below box_max {list(box_max)} on every axis, or equal it for "
            "the whole volume"
        )
