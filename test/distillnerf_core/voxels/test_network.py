import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.voxels.level_tables import LevelTables, build_tables
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.network import SparseVoxelNetwork
from distillnerf_core.voxels.network_config import SparseVoxelNetworkConfig
from distillnerf_core.voxels.structure import build_structure

PREFIX = "model.multi_view_pooling_octree_encoder.sparse_voxel_convnet."
OFFICIAL_NAMES = {
    "fine_input.": "init_conv.0.",
    "coarse_input.": "init_conv.1.",
    "fine_layers.0.": "processing_layers.0.",
    "fine_layers.1.": "processing_layers.1.",
    "coarse_layers.0.": "processing_layers.2.",
    "coarse_layers.1.": "processing_layers.3.",
    "downsample.": "downsample_layers.0.",
    "coarse_head.": "output_head.conv.",
}
TINY = SparseVoxelNetworkConfig(
    fine_input_channels=5,
    coarse_input_channels=7,
    fine_channels=4,
    coarse_channels=6,
    fine_layers=1,
    coarse_layers=1,
    output_channels=7,
    refine_fine=True,
)


def official_key(name: str) -> str:
    start = next(start for start in OFFICIAL_NAMES if name.startswith(start))
    return PREFIX + OFFICIAL_NAMES[start] + name.removeprefix(start).replace("convolution.", "conv.")


def load_recipe(golden_dir: Path) -> Any:
    specification = importlib.util.spec_from_file_location("recipe", golden_dir / "recipe.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in ("octree_small", "sparse_convnet_small"):
        with np.load(golden_dir / f"{name}.npz") as archive:
            tensors |= {key: torch.from_numpy(archive[key]) for key in archive.files}
    return tensors


@pytest.fixture(scope="module")
def reference_network(golden_dir: Path) -> SparseVoxelNetwork:
    recipe = load_recipe(golden_dir)
    network = SparseVoxelNetwork(SparseVoxelNetworkConfig())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(recipe.tensor_for(official_key(name), tuple(parameter.shape))))
    return network


@torch.no_grad()
def test_every_stage_equals_the_reference(golden: dict[str, Tensor], reference_network: SparseVoxelNetwork) -> None:
    tables = build_tables(build_structure(torch.unique(morton_encode(golden["q5"])), 5, 3))
    hidden = reference_network.fine_input(golden["feats5"], tables.fine)
    assert_relative(hidden[:, :16], golden["init5"])
    for layer in reference_network.fine_layers:
        hidden = layer(hidden, tables.fine)
    assert_relative(hidden[:, :16], golden["proc5"])
    assert_relative(reference_network.downsample(hidden, tables.down)[:, :32], golden["down3"])
    fine, coarse = reference_network(golden["feats5"], golden["feats3"], tables)
    assert fine is golden["feats5"]
    assert_relative(coarse, golden["out3"])


def assert_relative(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_parameters_are_those_of_the_reference(reference_network: SparseVoxelNetwork) -> None:
    shapes = {official_key(name): tuple(value.shape) for name, value in reference_network.named_parameters()}
    assert len(shapes) == 24
    assert shapes[PREFIX + "processing_layers.2.conv.weight"] == (27, 256, 128)
    assert shapes[PREFIX + "output_head.conv.bias"] == (33,)


def frame(count: int) -> tuple[Tensor, Tensor, LevelTables]:
    generator = torch.Generator().manual_seed(count)
    cells = torch.randint(0, 16, (count, 3), generator=generator)
    structure = build_structure(torch.unique(morton_encode(cells)), 4, 2)
    fine = torch.randn(len(structure.fine_keys), 5, generator=generator)
    coarse = torch.randn(len(structure.coarse_keys), 7, generator=generator)
    return fine, coarse, build_tables(structure)


@pytest.mark.parametrize("count", [0, 1, 60])
def test_untrained_refinement_keeps_the_pooled_features(count: int) -> None:
    fine, coarse, tables = frame(count)
    refined, processed = SparseVoxelNetwork(TINY)(fine, coarse, tables)
    assert torch.equal(refined, fine)
    assert processed.shape == (len(coarse), 7)


def test_refinement_learns_from_both_levels() -> None:
    fine, coarse, tables = frame(60)
    network = SparseVoxelNetwork(TINY)
    refined, processed = network(fine, coarse, tables)
    torch.autograd.backward(refined.square().sum() + processed.square().sum())
    assert network.fine_head is not None
    for parameter in (network.fine_head.head.weight, network.fine_head.context.weight):
        assert parameter.grad is not None
        assert parameter.grad.any()


def test_one_step_of_training_reduces_the_loss() -> None:
    torch.manual_seed(0)
    fine, coarse, tables = frame(200)
    network = SparseVoxelNetwork(TINY)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        refined, processed = network(fine, coarse, tables)
        loss = refined.square().mean() + processed.square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize("layers", [0, 2])
def test_number_of_layers_is_free(layers: int) -> None:
    fine, coarse, tables = frame(30)
    config = SparseVoxelNetworkConfig(5, 7, 4, 6, layers, layers, 3, refine_fine=True)
    refined, processed = SparseVoxelNetwork(config)(fine, coarse, tables)
    assert refined.shape == fine.shape
    assert processed.shape == (len(coarse), 3)


def test_tables_move_together() -> None:
    fine, coarse, tables = frame(30)
    network = SparseVoxelNetwork(TINY)
    for moved, original in zip(network(fine, coarse, tables.to("cpu")), network(fine, coarse, tables), strict=True):
        assert torch.equal(moved, original)
