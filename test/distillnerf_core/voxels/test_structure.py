from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.structure import TwoLevelStructure, build_structure

cells_at_level_4 = st.lists(st.tuples(*[st.integers(0, 15)] * 3), min_size=1, max_size=40)


def structure_of(cells: list[tuple[int, int, int]], coarse_level: int = 2) -> TwoLevelStructure:
    keys = torch.unique(morton_encode(torch.tensor(cells).view(-1, 3)))
    return build_structure(keys, 4, coarse_level)


@given(cells_at_level_4, cells_at_level_4, st.integers(1, 3))
def test_lookup_equals_a_dictionary(
    cells: list[tuple[int, int, int]], others: list[tuple[int, int, int]], coarse_level: int
) -> None:
    structure = structure_of(cells, coarse_level)
    fine = {tuple(cell): row for row, cell in enumerate(structure.fine_coordinates().tolist())}
    coarse = {tuple(cell): row for row, cell in enumerate(structure.coarse_coordinates().tolist())}
    assert set(fine) == set(cells)
    # Move some queries out of the cube on every side.
    queries = torch.tensor(cells + others + [(x - 9, y, z + 9) for x, y, z in others])
    fine_index, coarse_index = structure.lookup(queries)
    assert fine_index.tolist() == [fine.get(tuple(cell), -1) for cell in queries.tolist()]
    parents = [tuple(cell) for cell in (queries >> structure.jump).tolist()]
    assert coarse_index.tolist() == [coarse.get(cell, -1) for cell in parents]
    assert torch.equal(structure.lookup_coarse(queries >> structure.jump), coarse_index)


@given(cells_at_level_4)
def test_parents_are_ascending_and_contain_their_children(cells: list[tuple[int, int, int]]) -> None:
    structure = structure_of(cells)
    parents = structure.parent_of_fine
    assert torch.equal(structure.coarse_coordinates()[parents], structure.fine_coordinates() >> 2)
    assert torch.equal(parents, parents.sort().values)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_cells_far_outside_are_misses(dtype: torch.dtype) -> None:
    structure = structure_of([(0, 0, 0), (15, 15, 15)])
    far = torch.iinfo(dtype)
    queries = torch.tensor([[-1, 0, 0], [16, 15, 15], [far.min, 0, 0], [0, 0, far.max]], dtype=dtype)
    for found in structure.lookup(queries):
        assert found.dtype == torch.int64
        assert found.tolist() == [-1] * 4


def test_queries_equal_the_reference(golden_dir: Path) -> None:
    with np.load(golden_dir / "octree_small.npz") as archive:
        octree = {name: torch.from_numpy(archive[name]) for name in archive.files}
    structure = build_structure(torch.unique(morton_encode(octree["q5"])), 5, 3)
    # The reference counts leaves after all coarser nodes and evaluates cells in double precision.
    cells = (32 * (0.5 * octree["query"].double() + 0.5)).floor().long()
    for level, found in zip((5, 3), structure.lookup(cells), strict=True):
        start = int(octree[f"pyramid{level}"][1, level])
        expected = octree[f"query_idx{level}"]
        assert (expected == -1).any()
        assert torch.equal(torch.where(found >= 0, found + start, -1), expected)


def test_no_voxels() -> None:
    structure = build_structure(torch.zeros(0, dtype=torch.int64), 4, 2)
    fine, coarse = structure.lookup(torch.tensor([[1, 2, 3]]))
    assert fine.tolist() == coarse.tolist() == [-1]
    assert len(structure.coarse_keys) == 0


def test_no_queries() -> None:
    fine, coarse = structure_of([(1, 2, 3)]).lookup(torch.zeros(0, 3, dtype=torch.int64))
    assert fine.shape == coarse.shape == (0,)


def test_moving_keeps_every_tensor() -> None:
    structure = structure_of([(1, 2, 3), (9, 0, 1)])
    moved = structure.to("cpu")
    queries: Tensor = structure.fine_coordinates()
    assert torch.equal(moved.lookup(queries)[0], structure.lookup(queries)[0])


@pytest.mark.parametrize(("fine", "coarse"), [(4, 4), (3, 5), (4, 0), (21, 7), (12, 10)])
def test_levels_that_do_not_fit_are_refused(fine: int, coarse: int) -> None:
    with pytest.raises(ConfigurationError, match=f"coarse {coarse} and fine {fine}"):
        build_structure(torch.zeros(1, dtype=torch.int64), fine, coarse)
