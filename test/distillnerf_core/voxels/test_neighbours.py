from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.neighbours import (
    NeighbourTable,
    coarse_neighbours,
    fine_neighbours,
    strided_neighbours,
)
from distillnerf_core.voxels.offsets import kernel_offsets
from distillnerf_core.voxels.structure import TwoLevelStructure, build_structure

cells_at_level_4 = st.lists(st.tuples(*[st.integers(0, 15)] * 3), min_size=1, max_size=60)


def structure_of(cells: list[tuple[int, int, int]], coarse_level: int) -> TwoLevelStructure:
    return build_structure(torch.unique(morton_encode(torch.tensor(cells).view(-1, 3))), 4, coarse_level)


def by_dictionary(outputs: Tensor, scale: int, inputs: Tensor) -> list[list[int]]:
    rows = {tuple(cell): row for row, cell in enumerate(inputs.tolist())}
    cells = scale * outputs[:, None] + kernel_offsets()
    return [[rows.get(tuple(cell), len(rows)) for cell in around] for around in cells.tolist()]


@given(cells_at_level_4, st.integers(1, 3))
def test_tables_equal_a_dictionary(cells: list[tuple[int, int, int]], coarse_level: int) -> None:
    structure = structure_of(cells, coarse_level)
    fine, coarse = structure.fine_coordinates(), structure.coarse_coordinates()
    assert fine_neighbours(structure).indices.tolist() == by_dictionary(fine, 1, fine)
    assert coarse_neighbours(structure).indices.tolist() == by_dictionary(coarse, 1, coarse)
    strided = strided_neighbours(structure)
    assert strided.indices.tolist() == by_dictionary(coarse, 2**structure.jump, fine)
    assert strided.input_count == len(fine)
    assert len(strided) == len(coarse)


@given(cells_at_level_4)
def test_submanifold_tables_are_symmetric(cells: list[tuple[int, int, int]]) -> None:
    structure = structure_of(cells, 2)
    for table in (fine_neighbours(structure), coarse_neighbours(structure)):
        assert table.submanifold
        rows = torch.arange(len(table))
        assert torch.equal(table.indices[:, 13], rows.int())
        for offset in range(27):
            neighbours = table.indices[:, offset].long()
            present = neighbours < table.input_count
            assert torch.equal(table.indices[neighbours[present], 26 - offset], rows[present].int())


def test_offsets_run_with_x_slowest_and_opposites_mirror() -> None:
    offsets = kernel_offsets()
    steps = offsets + 1
    assert (9 * steps[:, 0] + 3 * steps[:, 1] + steps[:, 2]).tolist() == list(range(27))
    assert torch.equal(offsets, -offsets.flip(0))


def test_corners_of_the_cube_have_no_neighbours_around_the_other_side() -> None:
    table = fine_neighbours(structure_of([(0, 0, 0), (15, 15, 15)], 2))
    assert (table.indices < table.input_count).sum(1).tolist() == [1, 1]


@pytest.mark.parametrize("build", [fine_neighbours, coarse_neighbours, strided_neighbours])
def test_no_voxels(build: Callable[[TwoLevelStructure], NeighbourTable]) -> None:
    structure = build_structure(torch.zeros(0, dtype=torch.int64), 4, 2)
    assert build(structure).indices.shape == (0, 27)
