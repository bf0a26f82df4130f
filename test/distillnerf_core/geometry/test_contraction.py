from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.geometry.contraction import ContractedSpace, contract, expand

VARIANTS = [("xy_param", 50.0, 0.8), ("z_param", 6.4, 0.8), ("xy_linear", 50.0, 0.999), ("z_linear", 15.0, 0.999)]


@pytest.mark.parametrize(("name", "inner", "ratio"), VARIANTS)
def test_matches_the_reference_network(golden_dir: Path, name: str, inner: float, ratio: float) -> None:
    golden = np.load(golden_dir / "contraction.npz")
    contracted = contract(torch.from_numpy(golden["x"]), inner, ratio)
    np.testing.assert_allclose(contracted, golden[f"s_{name}"], rtol=1e-5, atol=1e-7)
    expanded = expand(torch.from_numpy(golden[f"s_{name}"]), inner, ratio)
    np.testing.assert_allclose(expanded, golden[f"xinv_{name}"], rtol=1e-5, atol=1e-6)


@given(st.floats(-1e3, 1e3), st.floats(1.0, 100.0), st.floats(0.5, 0.95))
def test_expand_inverts_contract(x: float, inner: float, ratio: float) -> None:
    point = torch.tensor([x], dtype=torch.float64)
    contracted = contract(point, inner, ratio)
    assert contracted.abs().item() < 1.0
    assert expand(contracted, inner, ratio).item() == pytest.approx(x, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(-200.0, 200.0), min_size=2, max_size=20, unique=True))
def test_contraction_keeps_the_order(values: list[float]) -> None:
    x = torch.tensor(sorted(values), dtype=torch.float64)
    assert bool((contract(x, 40.0, 0.8).diff() >= 0).all())


def test_the_inner_box_of_tiny_has_voxels_of_the_occ3d_grid() -> None:
    space = ContractedSpace()
    centers = space.voxel_centers(torch.tensor([[128, 128, 128], [129, 128, 128], [128, 128, 129]]), 8)
    steps = (centers - centers[0]).abs().amax(dim=1)
    torch.testing.assert_close(steps[1:], torch.tensor([0.4, 0.4 / 3]), rtol=1e-4, atol=1e-5)
    assert centers[0, 0].item() == pytest.approx(0.2, abs=1e-4)


def test_contraction_is_differentiable_outside_and_inside() -> None:
    x = torch.tensor([-90.0, -3.0, 0.5, 60.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: contract(value, 40.0, 0.8), (x,))
