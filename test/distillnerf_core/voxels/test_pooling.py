from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.voxels.morton import morton_decode, morton_encode
from distillnerf_core.voxels.pooling import (
    PointGroups,
    group_points,
    pool_mean,
    pool_weighted_mean,
    quantise,
)

point_keys = st.lists(st.integers(0, 40), min_size=1, max_size=60).map(torch.tensor)


@pytest.fixture(scope="module")
def octree(golden_dir: Path) -> dict[str, Tensor]:
    with np.load(golden_dir / "octree_small.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def test_quantised_points_equal_the_reference(octree: dict[str, Tensor]) -> None:
    fine = quantise(octree["points"], 5)
    assert torch.equal(fine, octree["q5"].long())
    assert torch.equal(fine >> 2, octree["q3"].long())
    assert torch.equal(quantise(octree["points"], 3), octree["q3"].long())


def test_pooled_features_and_their_order_equal_the_reference(octree: dict[str, Tensor]) -> None:
    fine = group_points(morton_encode(octree["q5"]))
    coarse = fine.coarsen(2)
    for groups, level in ((fine, 5), (coarse, 3)):
        start = octree[f"pyramid{level}"][1, level]
        leaves = octree[f"ph{level}"][start:].long()
        assert torch.equal(morton_decode(groups.keys), leaves)
        torch.testing.assert_close(pool_mean(groups, octree["feat"]), octree[f"feats{level}"], rtol=1e-5, atol=1e-6)


def test_points_outside_the_cube_fall_into_the_outermost_layer() -> None:
    points = torch.tensor([[-5.0, -1.0, -0.999], [0.0, 1.0, 7.0]])
    assert quantise(points, 3).tolist() == [[0, 0, 0], [4, 7, 7]]


def test_quantisation_does_not_track_gradients() -> None:
    points = torch.zeros(1, 3, requires_grad=True)
    assert not quantise(points, 4).requires_grad


@given(point_keys)
def test_groups_equal_a_dictionary(keys: Tensor) -> None:
    members: dict[int, list[int]] = {}
    for point, key in enumerate(keys.tolist()):
        members.setdefault(key, []).append(point)
    groups = group_points(keys)
    assert groups.keys.tolist() == sorted(members)
    assert groups.counts.tolist() == [len(members[key]) for key in sorted(members)]
    parts = groups.order.split(groups.counts.tolist())
    assert [part.tolist() for part in parts] == [members[key] for key in sorted(members)]


@given(point_keys, st.integers(1, 2))
def test_coarsened_groups_equal_groups_of_the_ancestors(keys: Tensor, levels: int) -> None:
    coarsened = group_points(keys).coarsen(levels)
    direct = group_points(keys >> (3 * levels))
    assert torch.equal(coarsened.keys, direct.keys)
    assert torch.equal(coarsened.offsets, direct.offsets)


@given(point_keys, st.integers(0, 1000))
def test_mean_times_count_conserves_the_sum(keys: Tensor, seed: int) -> None:
    features = torch.randn(len(keys), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    groups = group_points(keys)
    totals = (pool_mean(groups, features) * groups.counts[:, None]).sum(0)
    torch.testing.assert_close(totals, features.sum(0))


@given(point_keys, st.integers(0, 1000))
def test_weighted_mean_equals_the_mean_of_products(keys: Tensor, seed: int) -> None:
    weights, rows, features = weighted_input(keys, seed)
    groups = group_points(keys)
    expected = pool_mean(groups, weights[:, None] * features[rows])
    torch.testing.assert_close(pool_weighted_mean(groups, weights, rows, features), expected)


def weighted_input(keys: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(len(keys), dtype=torch.float64, generator=generator)
    rows = torch.randint(0, 7, (len(keys),), generator=generator)
    return weights, rows, torch.randn(7, 3, dtype=torch.float64, generator=generator)


def grouped(count: int = 30) -> PointGroups:
    return group_points(torch.randint(0, 9, (count,), generator=torch.Generator().manual_seed(3)))


def test_gradient_of_the_mean() -> None:
    features = torch.randn(30, 2, dtype=torch.float64, requires_grad=True)
    groups = grouped()
    assert torch.autograd.gradcheck(lambda value: pool_mean(groups, value), (features,))


def test_gradients_of_the_weighted_mean() -> None:
    weights, rows, features = weighted_input(torch.zeros(30), seed=1)
    groups = grouped()
    assert torch.autograd.gradcheck(
        lambda scale, value: pool_weighted_mean(groups, scale, rows, value),
        (weights.requires_grad_(), features.requires_grad_()),
    )


@pytest.mark.parametrize("differentiable", ["weights", "features"])
def test_weighted_mean_differentiates_only_what_is_asked(differentiable: str) -> None:
    weights, rows, features = weighted_input(torch.zeros(30), seed=2)
    tracked = {"weights": weights, "features": features}[differentiable].requires_grad_()
    torch.autograd.backward(pool_weighted_mean(grouped(), weights, rows, features).sum())
    assert [tensor.grad is not None for tensor in (weights, features)] == [
        tensor is tracked for tensor in (weights, features)
    ]


def test_gradients_over_many_blocks_equal_the_plain_form() -> None:
    generator = torch.Generator().manual_seed(0)
    groups = group_points(torch.randint(0, 500, (20_000,), generator=generator))
    rows = torch.randint(0, 3000, (20_000,), generator=generator)
    lean = [torch.rand(20_000, generator=generator), torch.randn(3000, 4, generator=generator)]
    plain = [tensor.clone().requires_grad_() for tensor in lean]
    for tensor in lean:
        tensor.requires_grad_()
    target = torch.randn(len(groups.keys), 4, generator=generator)
    torch.autograd.backward((pool_weighted_mean(groups, lean[0], rows, lean[1]) * target).sum())
    torch.autograd.backward((pool_mean(groups, plain[0][:, None] * plain[1][rows]) * target).sum())
    for ours, reference in zip(lean, plain, strict=True):
        torch.testing.assert_close(ours.grad, reference.grad)


def test_pooling_is_deterministic() -> None:
    generator = torch.Generator().manual_seed(5)
    keys = torch.randint(0, 50, (5000,), generator=generator)
    features = torch.randn(5000, 8, generator=generator)
    first = pool_mean(group_points(keys), features)
    assert all(torch.equal(pool_mean(group_points(keys), features), first) for _ in range(3))


def test_no_points() -> None:
    groups = group_points(torch.zeros(0, dtype=torch.int64))
    features = torch.zeros(0, 5, requires_grad=True)
    shared = torch.ones(4, 5, requires_grad=True)
    nothing = torch.zeros(0)
    means = pool_mean(groups, features)
    weighted = pool_weighted_mean(groups, nothing, groups.order, shared)
    assert means.shape == weighted.shape == (0, 5)
    torch.autograd.backward(means.sum() + weighted.sum())
    assert shared.grad is not None
    assert not shared.grad.any()
    assert groups.coarsen(2).keys.shape == (0,)


def test_one_point() -> None:
    groups = group_points(torch.tensor([77]))
    assert pool_mean(groups, torch.tensor([[1.5, -2.0]])).tolist() == [[1.5, -2.0]]
    assert groups.coarsen(1).keys.tolist() == [77 >> 3]
