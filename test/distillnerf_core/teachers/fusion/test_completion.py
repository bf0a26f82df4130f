"""Planes come out exactly, edges stay sharp, and pixels without support stay unknown."""

import numpy as np
import pytest
from numpy.typing import NDArray

from distillnerf_core.teachers.fusion.completion import complete
from distillnerf_core.teachers.fusion.config import CompletionConfig
from distillnerf_core.teachers.fusion.visibility import Samples

HEIGHT, WIDTH = 90, 400


def _samples(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    return generator.uniform(0, WIDTH, count), generator.uniform(0, HEIGHT, count)


def _of(column: NDArray[np.float64], row: NDArray[np.float64], inverse: NDArray[np.float64]) -> Samples:
    return Samples(*(values.astype(np.float32) for values in (column, row, inverse)))


def test_a_slanted_plane_is_exact_between_its_points() -> None:
    column, row = _samples(3000)
    filled = complete(
        _of(column, row, 0.02 + 1e-4 * column + 3e-4 * row),
        np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8),
        CompletionConfig(),
    )
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    relative = np.abs(filled.depth_m * (0.02 + 1e-4 * u + 3e-4 * v) - 1.0)
    assert np.nanmean(relative) < 1e-3
    assert np.nanmax(relative[5:-5, 5:-5]) < 0.02
    assert filled.residual.max() < 0.02


@pytest.mark.parametrize("edge", [200, 203])
def test_an_edge_of_colour_is_an_edge_of_depth(edge: int) -> None:
    column, row = _samples(6000)
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:, edge:] = 200
    filled = complete(_of(column, row, np.where(column < edge, 0.1, 0.02)), pixels, CompletionConfig())
    near, far = np.abs(filled.depth_m - 10.0) < 0.1, np.abs(filled.depth_m - 50.0) < 0.5
    assert (near | far).mean() > 0.999  # nothing floats between
    wrong = np.count_nonzero(far[:, :edge]) + np.count_nonzero(near[:, edge:])
    assert wrong < 0.3 * HEIGHT  # a third of a pixel along the edge


def test_pixels_without_support_stay_unknown() -> None:
    column, row = _samples(4000)
    kept = column < 150
    filled = complete(
        _of(column[kept], row[kept], np.full(kept.sum(), 0.1)),
        np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8),
        CompletionConfig(support_px=12.0),
    )
    assert not np.isnan(filled.depth_m[:, :150]).any()
    assert np.isnan(filled.depth_m[:, 163:]).all()
    assert np.isinf(filled.distance_px[:, 163:]).all()
    assert 4 < filled.distance_px[45, 155] < 9


def test_too_few_points_give_nothing() -> None:
    filled = complete(
        _of(np.array([5.0]), np.array([5.0]), np.array([0.1])),
        np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8),
        CompletionConfig(),
    )
    assert np.isnan(filled.depth_m).all()
