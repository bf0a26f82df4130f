"""Where a multiresolution hash grid keeps its values (section 3.2; the semantics of tiny-cuda-nn)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distillnerf_core.configuration import Config

_PRIMES = (1, 2654435761, 805459861, 3674653429)


class GridConfig(Config):
    """A multiresolution grid.

    Attributes:
        levels: Resolutions, in geometric progression.
        features: Values of each entry.
        base: Cells along an axis at the coarsest level.
        finest: Cells along an axis at the finest level.
        log2_entries: Most entries of a level; finer levels are hashed.
    """

    levels: int = 10
    features: int = 4
    base: int = 16
    finest: int = 8192
    log2_entries: int = 20

    @property
    def growth(self) -> float:
        """Ratio of neighbouring resolutions."""
        return math.exp((math.log(self.finest) - math.log(self.base)) / (self.levels - 1))


@dataclass(frozen=True)
class GridLevel:
    """One resolution.

    Attributes:
        scales: Cells in the unit interval along each axis.
        resolutions: Corners along each axis.
        entries: Entries of the table.
        offset: Entries of the levels before.
        dense: Whether each corner has its own entry.
    """

    scales: tuple[float, ...]
    resolutions: tuple[int, ...]
    entries: int
    offset: int
    dense: bool


@dataclass(frozen=True)
class GridLayout:
    """All levels of a grid.

    Attributes:
        levels: From coarse to fine; their entries follow one another in one table.
        keyed: Whether there are many grids in one table, told apart by an integer key; all levels are hashed then.
    """

    levels: tuple[GridLevel, ...]
    keyed: bool = False

    @classmethod
    def of(
        cls, config: GridConfig, dimensions: int, time_cells: int | None = None, keyed: bool = False
    ) -> "GridLayout":
        """Lays out a grid.

        Args:
            config: Resolutions and size.
            dimensions: Axes.
            time_cells: Most cells along the last axis (section 10, item 9).
            keyed: See the class.
        """
        levels: list[GridLevel] = []
        for number in range(config.levels):
            scale = _scale(config, number)
            scales = [scale] * dimensions
            if time_cells is not None:
                scales[-1] = min(scale, float(time_cells))
            offset = levels[-1].offset + levels[-1].entries if levels else 0
            levels.append(_level(scales, config.log2_entries, offset, keyed))
        return cls(tuple(levels), keyed)

    @property
    def entries(self) -> int:
        """Entries of all levels."""
        return self.levels[-1].offset + self.levels[-1].entries

    def corners(
        self, positions: Float[Tensor, "points axes"], keys: Int64[Tensor, " points"] | None = None
    ) -> tuple[Int64[Tensor, "points levels corners"], Float[Tensor, "points levels corners"]]:
        """Returns the rows of the table around positions in [0, 1], and their weights for linear interpolation.

        Bit d of a corner's number says on which side it lies along axis d.
        """
        axes = positions.T.contiguous()
        found = [self._level_corners(level, axes, keys) for level in self.levels]
        rows, weights = (torch.stack(parts).permute(2, 0, 1) for parts in zip(*found, strict=True))
        return rows, weights

    def _level_corners(self, level: GridLevel, axes: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns rows and weights [corners points]; the points lie innermost, where a CPU is fast."""
        # Cells are shifted by half of one, so that the levels' corners do not coincide.
        scaled = axes * axes.new_tensor(level.scales)[:, None] + 0.5
        cell = torch.floor(scaled)
        fraction = scaled - cell
        steps = _strides(level)
        indices = [torch.stack((c * step, (c + 1) * step)) for c, step in zip(cell.long(), steps, strict=True)]
        shares = [torch.stack((1.0 - f, f)) for f in fraction]
        index = reduce(lambda x, y: _outer(x, y, torch.add if level.dense else torch.bitwise_xor), indices)
        if keys is not None:
            index = index ^ keys * _PRIMES[len(steps)]
        weights = reduce(lambda x, y: _outer(x, y, torch.mul), shares)
        if level.entries & (level.entries - 1) == 0:
            return (index & (level.entries - 1)) + level.offset, weights
        return (index & 0xFFFFFFFF) % level.entries + level.offset, weights


def _scale(config: GridConfig, number: int) -> float:
    """Returns base growth^number - 1, rounded as in 32 bits: a cell border may lie on a position."""
    exponent = np.float32(number) * np.log2(np.float32(config.growth))
    return float(np.float32(config.base) * np.exp2(exponent) - np.float32(1.0))


def _level(scales: Sequence[float], log2_entries: int, offset: int, keyed: bool) -> GridLevel:
    resolutions = tuple(math.ceil(scale) + 1 for scale in scales)
    corners = math.prod(resolutions)
    entries = min((corners + 7) // 8 * 8, 2**log2_entries)
    return GridLevel(tuple(scales), resolutions, entries, offset, corners <= entries and not keyed)


def _strides(level: GridLevel) -> tuple[int, ...]:
    if not level.dense:
        return _PRIMES[: len(level.resolutions)]
    return tuple(math.prod(level.resolutions[:axis]) for axis in range(len(level.resolutions)))


def _outer(lower: Tensor, upper: Tensor, operation: Any) -> Tensor:
    """Combines the values of each corner of the lower axes with both of the next; its bit is the highest."""
    combined: Tensor = operation(lower[None], upper[:, None])
    return combined.flatten(0, 1)
