import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.voxels.morton import MAX_LEVEL, morton_decode, morton_encode

coordinate = st.integers(0, 2**MAX_LEVEL - 1)
coordinates = st.tuples(coordinate, coordinate, coordinate)


def interleave(x: int, y: int, z: int) -> int:
    code = 0
    for bit in reversed(range(MAX_LEVEL)):
        for value in (x, y, z):
            code = 2 * code + (value >> bit & 1)
    return code


@given(st.lists(coordinates, min_size=1, max_size=20))
def test_codes_interleave_bits_with_x_first(points: list[tuple[int, int, int]]) -> None:
    codes = morton_encode(torch.tensor(points))
    assert codes.tolist() == [interleave(*point) for point in points]


@given(st.lists(coordinates, min_size=1, max_size=20))
def test_decoding_inverts_encoding(points: list[tuple[int, int, int]]) -> None:
    cells = torch.tensor(points)
    assert torch.equal(morton_decode(morton_encode(cells)), cells)


@given(st.lists(coordinates, min_size=2, max_size=20), st.integers(1, 4))
def test_shifted_code_is_the_code_of_the_ancestor(points: list[tuple[int, int, int]], levels: int) -> None:
    cells = torch.tensor(points)
    assert torch.equal(morton_encode(cells) >> (3 * levels), morton_encode(cells >> levels))


def test_children_are_numbered_4x_2y_z() -> None:
    steps = torch.arange(2)
    assert morton_encode(torch.cartesian_prod(steps, steps, steps)).tolist() == list(range(8))


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_any_integer_type_gives_64_bit_codes_and_leaves_the_input_alone(dtype: torch.dtype) -> None:
    cells = torch.tensor([[511, 3, 70]], dtype=dtype)
    before: Tensor = cells.clone()
    codes = morton_encode(cells)
    assert codes.dtype == torch.int64
    assert codes.item() == interleave(511, 3, 70)
    assert torch.equal(cells, before)


def test_no_voxels() -> None:
    codes = morton_encode(torch.zeros(0, 3, dtype=torch.int64))
    assert codes.shape == (0,)
    assert morton_decode(codes).shape == (0, 3)
