from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from distillnerf_core.voxels import pairs
from distillnerf_core.voxels.convolution import SparseConv3d
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.neighbours import (
    NeighbourTable,
    coarse_neighbours,
    fine_neighbours,
    strided_neighbours,
)
from distillnerf_core.voxels.structure import TwoLevelStructure, build_structure

TABLES = [fine_neighbours, coarse_neighbours, strided_neighbours]
TableBuilder = Callable[[TwoLevelStructure], NeighbourTable]


def structure_of(count: int, coarse_level: int = 2) -> TwoLevelStructure:
    cells = torch.randint(0, 16, (count, 3), generator=torch.Generator().manual_seed(count))
    return build_structure(torch.unique(morton_encode(cells)), 4, coarse_level)


def layer_of(inputs: int, outputs: int, dtype: torch.dtype = torch.float32) -> SparseConv3d:
    torch.manual_seed(0)
    layer = SparseConv3d(inputs, outputs).to(dtype)
    torch.nn.init.normal_(layer.bias)
    return layer


def dense_convolution(layer: SparseConv3d, features: Tensor, inputs: Tensor, outputs: Tensor, stride: int) -> Tensor:
    """The dense equivalent of the specification: scatter, cross-correlate, keep the existing sites."""
    grid = features.new_zeros(16, 16, 16, features.shape[1])
    grid[inputs.unbind(1)] = features
    weight = layer.weight.view(3, 3, 3, *layer.weight.shape[1:]).permute(4, 3, 0, 1, 2)
    dense = functional.conv3d(grid.permute(3, 0, 1, 2)[None], weight, layer.bias, stride=stride, padding=1)
    return dense[0].permute(1, 2, 3, 0)[outputs.unbind(1)]


@pytest.mark.parametrize("count", [1, 30, 1500])
@pytest.mark.parametrize("coarse_level", [2, 3])
def test_equals_a_dense_convolution(count: int, coarse_level: int) -> None:
    structure = structure_of(count, coarse_level)
    fine, coarse = structure.fine_coordinates(), structure.coarse_coordinates()
    layer, features = layer_of(5, 4), torch.randn(len(fine), 5)
    same = layer(features, fine_neighbours(structure))
    torch.testing.assert_close(same, dense_convolution(layer, features, fine, fine, 1))
    strided = layer(features, strided_neighbours(structure))
    stride = 2**structure.jump
    torch.testing.assert_close(strided, dense_convolution(layer, features, fine, coarse, stride))


@pytest.mark.parametrize("build", TABLES)
@pytest.mark.parametrize("coarse_level", [2, 3])
def test_gradients(build: TableBuilder, coarse_level: int) -> None:
    table = build(structure_of(25, coarse_level))
    layer = layer_of(2, 3, torch.float64)
    features = torch.randn(table.input_count, 2, dtype=torch.float64, requires_grad=True)

    def convolve(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (values, table))
        return result

    parameters = [layer.weight.detach().requires_grad_(), layer.bias.detach().requires_grad_()]
    assert torch.autograd.gradcheck(convolve, (features, *parameters))


@pytest.mark.parametrize("build", TABLES)
def test_blocks_do_not_change_the_result(build: TableBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    table = build(structure_of(600))
    layer, features = layer_of(4, 4), torch.randn(table.input_count, 4)
    assert len(table.pairs) == 1
    whole = outputs_and_gradients(layer, features, table)
    monkeypatch.setitem(pairs._BLOCK_ROWS, "cpu", 7)
    small = NeighbourTable(table.indices, table.input_count, table.submanifold)
    assert len(small.pairs) > 1
    for block, expected in zip(outputs_and_gradients(layer, features, small), whole, strict=True):
        torch.testing.assert_close(block, expected, rtol=1e-4, atol=1e-4)


def outputs_and_gradients(layer: SparseConv3d, features: Tensor, table: NeighbourTable) -> list[Tensor]:
    values = features.clone().requires_grad_()
    result = layer(values, table)
    gradients = torch.autograd.grad(result.square().sum(), (values, layer.weight, layer.bias))
    return [result.detach(), *gradients]


@pytest.mark.parametrize("build", TABLES)
def test_outputs_and_gradients_are_deterministic(build: TableBuilder) -> None:
    table = build(structure_of(800))
    layer, features = layer_of(8, 8), torch.randn(table.input_count, 8)
    first = outputs_and_gradients(layer, features, table)
    second = outputs_and_gradients(layer, features, table)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("build", TABLES)
def test_no_voxels(build: TableBuilder) -> None:
    structure = build_structure(torch.zeros(0, dtype=torch.int64), 4, 2)
    layer = layer_of(3, 2)
    features = torch.zeros(0, 3, requires_grad=True)
    result = layer(features, build(structure))
    assert result.shape == (0, 2)
    torch.autograd.backward(result.sum())
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()


def test_a_single_voxel_sees_the_centre_only() -> None:
    table = fine_neighbours(structure_of(1))
    layer, features = layer_of(3, 2), torch.randn(1, 3)
    torch.testing.assert_close(layer(features, table), features @ layer.weight[13] + layer.bias)


def test_nothing_is_kept_without_gradients() -> None:
    table = fine_neighbours(structure_of(50))
    with torch.no_grad():
        result = layer_of(3, 2)(torch.randn(table.input_count, 3), table)
    assert result.grad_fn is None


def test_inputs_that_need_no_gradient_receive_none() -> None:
    table = fine_neighbours(structure_of(50))
    layer = layer_of(3, 2)
    features = torch.randn(table.input_count, 3)
    torch.autograd.backward(layer(features, table).sum())
    assert features.grad is None
    assert layer.weight.grad is not None


def test_half_precision_features_are_convolved_in_the_precision_of_the_weight() -> None:
    table = fine_neighbours(structure_of(50))
    layer = layer_of(3, 2)
    features = torch.randn(table.input_count, 3).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(features, table)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, layer(features.float(), table))
    torch.autograd.backward(result.sum())
    assert features.grad is not None
    assert features.grad.dtype == torch.bfloat16


def test_initial_weights_keep_the_scale_of_activations() -> None:
    torch.manual_seed(0)
    full = torch.cartesian_prod(*[torch.arange(16)] * 3)
    structure = build_structure(morton_encode(full).sort().values, 4, 2)
    hidden = torch.randn(len(full), 16)
    for _ in range(3):
        convolved = SparseConv3d(16, 16)(hidden, fine_neighbours(structure))
        hidden = functional.leaky_relu(convolved, 0.2)
    assert 0.5 < hidden.square().mean().item() < 2
