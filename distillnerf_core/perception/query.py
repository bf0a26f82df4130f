"""Answers to texts: a score for every occupied voxel, and the connected regions that score high."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.text_space import EncodedQuery
from distillnerf_core.perception.boxes import Box, Corner, box_or_everything
from distillnerf_core.perception.config import QueryConfig
from distillnerf_core.perception.regions import QueryRegion, find_regions
from distillnerf_core.perception.results import SemanticOccupancy


@dataclass(frozen=True)
class TextQuery:
    """A question about the scene.

    Attributes:
        texts: What to look for. Each is answered for itself; with the published network they compete.
        negatives: What an answer must beat. Empty: the classes that are no synonym, and the configured words;
            with the published network only where there is a single text.
        threshold: Least score of an answer; None: the configured one.
        box_min: Lower corner of the searched volume, metres; None: the whole grid.
        box_max: Upper corner; equal corners mean the whole grid.
        ego_from_box: Pose of the corners' frame in the ego frame [4 4], metres; None where it is the ego frame.
    """

    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    threshold: float | None = None
    box_min: Corner | None = None
    box_max: Corner | None = None
    ego_from_box: NDArray[np.float64] | None = None

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
        _ = self.box  # whose corners are checked

    @property
    def box(self) -> Box | None:
        """The searched volume; None for the whole grid."""
        if self.box_min is None or self.box_max is None:
            return None
        return box_or_everything(self.box_min, self.box_max, self.ego_from_box)


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
        inside = query.box.contains(centers)
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
