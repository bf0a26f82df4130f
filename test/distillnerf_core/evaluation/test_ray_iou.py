"""RayIoU against a brute force that sorts all crossings of a ray with the planes of the grid."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.evaluation.ray_iou import (
    THRESHOLDS_M,
    RayHits,
    RayIouState,
    cast_rays,
    choose_origins,
    query_directions,
)
from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.language.classes import FREE, UNKNOWN

GRID = VoxelGrid((-2.0, -1.6, -1.0), 0.4, (10, 8, 6))


def random_volume(seed: int, share: float = 0.1, size: tuple[int, int, int] = GRID.size) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 17, size, generator=generator).to(torch.uint8)
    return labels.masked_fill(torch.rand(size, generator=generator) >= share, FREE)


def random_rays(seed: int, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor(GRID.size, dtype=torch.float64) * GRID.voxel_size_m
    origins = (
        torch.tensor(GRID.lower_m, dtype=torch.float64)
        + torch.rand(count, 3, generator=generator, dtype=torch.float64) * size
    )
    directions = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return origins, directions / directions.norm(dim=1, keepdim=True)


def brute_force(
    labels: NDArray[np.uint8], grid: VoxelGrid, origin: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[int, float]:
    """Returns class and distance of leaving the first occupied voxel, or 17 and that of leaving the grid."""
    crossings = [0.0]
    for axis in range(3):
        for plane in range(grid.size[axis] + 1):
            if direction[axis] != 0:
                crossings.append((grid.lower_m[axis] + plane * grid.voxel_size_m - origin[axis]) / direction[axis])
    ahead = sorted(t for t in crossings if t >= 0)
    leaving = 0.0
    for begin, end in pairwise(ahead):
        if end - begin < 1e-12:
            continue
        middle = origin + 0.5 * (begin + end) * direction
        index = np.floor((middle - grid.lower_m) / grid.voxel_size_m).astype(int)
        if (index < 0).any() or (index >= grid.size).any():
            continue
        leaving = end
        if labels[tuple(index)] < FREE:
            return int(labels[tuple(index)]), end
    return FREE, leaving


@given(seed=st.integers(0, 500), share=st.sampled_from([0.0, 0.05, 0.3, 1.0]))
@settings(max_examples=25)
def test_rays_meet_what_brute_force_says(seed: int, share: float) -> None:
    labels = random_volume(seed, share)
    origins, directions = random_rays(seed, 12)
    hits = cast_rays(labels, GRID, origins, directions)
    for ray in range(len(origins)):
        label, distance = brute_force(labels.numpy(), GRID, origins[ray].numpy(), directions[ray].numpy())
        assert int(hits.labels[ray]) == label
        assert float(hits.distance_m[ray]) == pytest.approx(distance, abs=1e-9)


def test_a_ray_from_outside_enters_and_one_that_passes_by_meets_nothing() -> None:
    labels = torch.full(GRID.size, FREE, dtype=torch.uint8)
    labels[0, 4, 3] = 4
    origins = torch.tensor([[-5.0, 0.2, 0.4], [-5.0, 0.2, 9.0]], dtype=torch.float64)
    directions = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    hits = cast_rays(labels, GRID, origins, directions)
    assert hits.labels.tolist() == [4, FREE]
    assert float(hits.distance_m[0]) == pytest.approx(3.4)  # leaves the first voxel at x = -1.6


def test_unknown_voxels_are_passed() -> None:
    labels = torch.full(GRID.size, UNKNOWN, dtype=torch.uint8)
    origins, directions = random_rays(1, 5)
    assert cast_rays(labels, GRID, origins, directions).labels.tolist() == [FREE] * 5


def brute_scores(predicted: RayHits, truth: RayHits) -> list[list[float]]:
    rows = []
    for limit in THRESHOLDS_M:
        row = []
        for label in range(17):
            tp = said = true = 0
            for ray in range(len(truth.labels)):
                p, t = int(predicted.labels[ray]), int(truth.labels[ray])
                if t == FREE:
                    continue
                close = abs(float(predicted.distance_m[ray]) - float(truth.distance_m[ray])) < limit
                tp += p == label and t == label and close
                said += p == label
                true += t == label
            row.append(tp / (said + true - tp) if said + true - tp else math.nan)
        rows.append(row)
    return rows


@given(seed=st.integers(0, 500))
@settings(max_examples=15)
def test_scores_equal_brute_force(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = RayHits(10 * torch.rand(80, generator=generator), torch.randint(0, 18, (80,), generator=generator))
    labels = torch.where(
        torch.rand(80, generator=generator) < 0.7, truth.labels, torch.randint(0, 18, (80,), generator=generator)
    )
    predicted = RayHits(truth.distance_m + 3 * torch.randn(80, generator=generator), labels)
    state = RayIouState()
    state.add_hits(predicted, truth)
    scores, expected = state.compute(), np.array(brute_scores(predicted, truth))
    np.testing.assert_allclose(scores.class_iou.numpy(), expected)
    assert scores.ray_iou == pytest.approx(np.nanmean(expected))
    kept = [label for label in range(17) if label not in (0, 12)]
    assert scores.ray_iou_15 == pytest.approx(np.nanmean(expected[:, kept]))
    assert scores.rays == int((truth.labels != FREE).sum())


@given(seed=st.integers(0, 100))
@settings(max_examples=5)
def test_a_volume_equals_itself_and_merging_equals_one_pass(seed: int) -> None:
    size = (12, 12, 8)
    grid = VoxelGrid((-2.4, -2.4, -1.0), 0.4, size)
    first, second = random_volume(seed, 0.2, size), random_volume(seed + 1, 0.2, size)
    origins = torch.tensor([[0.1, 0.2, 0.5]])
    state = RayIouState()
    state.add(first, first, grid, origins)
    assert state.compute().ray_iou == 1.0
    other, whole = RayIouState(), RayIouState()
    other.add(first, second, grid, origins)
    state.merge(other)
    whole.add(first, first, grid, origins)
    whole.add(first, second, grid, origins)
    assert torch.equal(state.hits, whole.hits) and state.compute().ray_iou == whole.compute().ray_iou


@pytest.mark.parametrize(("moved", "expected"), [(2, (1.0, 1.0, 1.0)), (3, (0.0, 1.0, 1.0)), (7, (0.0, 0.0, 1.0))])
def test_a_wall_that_is_too_far_counts_from_its_threshold_on(moved: int, expected: tuple[float, ...]) -> None:
    """Seen head on, a wall 0.8, 1.2 or 2.8 m too far is a hit at 1, at 2 and at 4 m."""
    walls = []
    for index in (20, 20 + moved):
        wall = torch.full((40, 8, 8), FREE, dtype=torch.uint8)
        wall[index] = 15
        walls.append(wall)
    grid = VoxelGrid((0.0, 0.0, 0.0), 0.4, (40, 8, 8))
    origin, direction = torch.tensor([[0.1, 1.7, 1.7]]), torch.tensor([[1.0, 0.0, 0.0]])
    state = RayIouState()
    state.add_hits(cast_rays(walls[1], grid, origin, direction), cast_rays(walls[0], grid, origin, direction))
    assert state.compute().at_threshold == expected


def test_directions_are_those_of_the_published_evaluation() -> None:
    directions = query_directions()
    assert len(directions) == 14_040  # as many as the published evaluation asks for
    pitch = torch.asin(directions[::360, 2])
    reach = 1.0 / torch.tan(-pitch[:10])
    torch.testing.assert_close(reach, torch.arange(1.0, 11.0, dtype=torch.float64))
    steps = pitch[10:].diff()
    torch.testing.assert_close(steps, (pitch[9] - pitch[8]).expand_as(steps))
    assert float(pitch[-2]) < 0.21 <= float(pitch[-1])
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(14_040, dtype=torch.float64))
    assert math.degrees(math.atan2(float(directions[1, 1]), float(directions[1, 0]))) == pytest.approx(1.0)


def test_origins_are_at_most_eight_within_the_grid_evenly_spread() -> None:
    places = torch.stack((torch.arange(-60.0, 61.0, 2.0), torch.zeros(61), torch.full((61,), 1.8)), dim=1)
    chosen = choose_origins(places)
    assert chosen[:, 0].tolist() == [-38.0, -28.0, -16.0, -6.0, 6.0, 16.0, 28.0, 38.0]
    assert len(choose_origins(places[28:33])) == 5


def test_every_ray_of_a_real_label_volume_equals_brute_force(shared_dir: object) -> None:
    path = f"{shared_dir}/data/occ3d_label_sample/29796060110c4163b07f06eff4af0753_labels.npz"
    try:
        labels = torch.from_numpy(np.load(path)["semantics"])
    except FileNotFoundError:
        pytest.skip("no Occ3D label volume in ../shared")
    directions = query_directions()[::977]
    origins = torch.tensor([[0.94, 0.0, 1.84]], dtype=torch.float64).expand(len(directions), 3)
    hits = cast_rays(labels, OCC3D_GRID, origins, directions)
    assert len(set(hits.labels.tolist())) > 2
    for ray in range(len(directions)):
        label, distance = brute_force(labels.numpy(), OCC3D_GRID, origins[ray].numpy(), directions[ray].numpy())
        assert int(hits.labels[ray]) == label
        assert float(hits.distance_m[ray]) == pytest.approx(distance, abs=1e-6)
