import pytest
import torch
from torch import nn

from distillnerf_core.training.config import OptimizerConfig
from distillnerf_core.training.optimizers import Muon, as_matrix, create_optimizers, is_kernel, orthogonalise
from distillnerf_core.voxels.convolution import SparseConv3d


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (32, 32)])
def test_orthogonalising_keeps_directions_and_levels_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    values = left.T @ orthogonalise(matrix) @ right.T
    diagonal = values.diagonal()
    assert float(diagonal.min()) > 0.4
    assert float(diagonal.max()) < 1.4
    assert float((values - diagonal.diag()).abs().max()) < 0.1


def test_kernels_are_told_from_other_weights() -> None:
    assert is_kernel(nn.Conv2d(16, 32, 3).weight)
    assert is_kernel(SparseConv3d(24, 32).weight)
    assert not is_kernel(nn.Conv2d(8, 32, 3).weight)
    assert not is_kernel(nn.Conv2d(32, 64, 1).weight)
    assert not is_kernel(nn.Linear(32, 32).weight)
    assert not is_kernel(nn.GroupNorm(8, 32).weight)


def test_a_sparse_kernel_mixes_taps_and_inputs() -> None:
    kernel = SparseConv3d(24, 32).weight
    assert as_matrix(kernel).shape == (27 * 24, 32)
    torch.testing.assert_close(as_matrix(kernel)[24 + 3], kernel[1, 3])


def test_every_parameter_belongs_to_one_optimiser() -> None:
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 4, 1))
    adam, muon = create_optimizers(module, OptimizerConfig(kernel_learning_rate=0.5))
    owned = [id(p) for optimizer in (adam, muon) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in module.parameters())
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(module[1].weight)]
    assert muon.param_groups[0]["initial_lr"] == 0.5
    assert len(create_optimizers(module, OptimizerConfig(muon=False))) == 1


def test_muon_fits_a_convolution() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 16, 6, 6, generator=generator)
    wanted = torch.nn.functional.conv2d(x, 0.1 * torch.randn(16, 16, 3, 3, generator=generator))
    layer = nn.Conv2d(16, 16, 3, bias=False)
    optimizer = Muon(layer.parameters(), lr=0.05)
    errors = []
    for step in range(80):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 80)
        error = (layer(x) - wanted).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.02 * errors[0]
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(lambda: None)
