from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distillnerf_core.teachers.field.grid_layout import GridConfig, GridLayout
from distillnerf_core.teachers.field.hash_grid import HashGrid, blend

Golden = Callable[[str], dict[str, Tensor]]

GRIDS = {
    "static": (3, GridConfig()),
    "dynamic": (4, GridConfig(base=32, log2_entries=18)),
    "flow": (4, GridConfig(finest=4096, log2_entries=18)),
    "prop0": (3, GridConfig(levels=8, features=1, finest=512)),
    "prop1": (3, GridConfig(levels=8, features=1, finest=2048)),
}


def formulaic(entries: Tensor, features: int) -> Tensor:
    """Values that the golden features are interpolated from."""
    numbers = entries[:, None] * features + torch.arange(features)
    return ((numbers * 2654435761 % 2**32).double() / 2**32 - 0.5).float()


@pytest.mark.parametrize("name", GRIDS)
def test_levels_indices_and_features_match_the_golden_tensors(golden: Golden, name: str) -> None:
    dimensions, config = GRIDS[name]
    values, layout = golden("hash_grid"), GridLayout.of(config, dimensions)
    table = torch.tensor(
        [[v.scales[0], v.resolutions[0], v.entries, float(v.dense), v.offset] for v in layout.levels],
        dtype=torch.float64,
    )
    torch.testing.assert_close(table, values[f"{name}_table"], rtol=1e-6, atol=1e-6)
    assert layout.entries == int(values[f"{name}_entries"])
    assert config.growth == pytest.approx(float(values[f"{name}_growth"]), rel=1e-7)

    rows, weights = layout.corners(values[f"{name}_x"])
    offsets = torch.tensor([level.offset for level in layout.levels])[:, None]
    assert torch.equal((rows - offsets).int(), values[f"{name}_index"])
    used, numbers = torch.unique(rows, return_inverse=True)
    features = blend(formulaic(used, config.features), numbers, weights)
    torch.testing.assert_close(features, values[f"{name}_feat"], rtol=2e-3, atol=2e-3)


def test_interpolation_is_linear_within_a_cell_and_exact_for_linear_tables() -> None:
    layout = GridLayout.of(GridConfig(levels=2, features=1, base=5, finest=9, log2_entries=12), 3)
    grid = HashGrid(layout, 1)
    assert all(level.dense for level in layout.levels)
    slope = torch.tensor([0.3, -1.2, 2.0])
    for level in layout.levels:
        side = level.resolutions[0]
        z, y, x = torch.meshgrid(*[torch.arange(side)] * 3, indexing="ij")
        corners = (torch.stack((x, y, z), dim=-1).reshape(-1, 3) - 0.5) / level.scales[0]
        grid.table.data[level.offset : level.offset + side**3, 0] = corners @ slope
    positions = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 0.7 + 0.13
    torch.testing.assert_close(grid(positions), (positions @ slope)[:, None].expand(-1, 2), rtol=1e-5, atol=1e-5)


def test_gradients_equal_those_of_gathering() -> None:
    layout = GridLayout.of(GridConfig(levels=3, features=2, base=4, finest=32, log2_entries=8), 4)
    grid, generator = HashGrid(layout, 2), torch.Generator().manual_seed(1)
    positions = torch.rand(40, 4, generator=generator)
    upstream = torch.randn(40, grid.width, generator=generator)
    (found,) = torch.autograd.grad(grid(positions), grid.table, upstream)
    rows, weights = layout.corners(positions)
    gathered = (grid.table[rows] * weights[..., None]).sum(dim=2).flatten(1)
    (expected,) = torch.autograd.grad(gathered, grid.table, upstream)
    torch.testing.assert_close(found, expected)


def test_time_is_resolved_no_finer_than_asked() -> None:
    layout = GridLayout.of(GridConfig(base=32, log2_entries=18), 4, time_cells=20)
    assert max(level.scales[3] for level in layout.levels) == 20.0
    assert layout.levels[-1].scales[0] == pytest.approx(8191.0)
    free = GridLayout.of(GridConfig(base=32, log2_entries=18), 4)
    assert free.levels[-1].scales[3] == free.levels[-1].scales[0]


def test_keys_tell_grids_in_one_table_apart() -> None:
    grid = HashGrid(
        GridLayout.of(GridConfig(levels=4, features=2, base=4, finest=16, log2_entries=14), 3, None, True), 2
    )
    positions = torch.rand(30, 3, generator=torch.Generator().manual_seed(2))
    first, second = (grid(positions, torch.full((30,), key)) for key in (0, 1))
    assert bool(((first - second).abs().amax(dim=1) > 1e-6).all())
    assert not any(level.dense for level in grid.layout.levels)
