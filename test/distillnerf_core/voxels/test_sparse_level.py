import torch

from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.neighbours import fine_neighbours
from distillnerf_core.voxels.pooling import quantise
from distillnerf_core.voxels.sparse_level import SparseLevel
from distillnerf_core.voxels.structure import build_structure


def level_of(count: int) -> SparseLevel:
    cells = torch.randint(0, 16, (count, 3), generator=torch.Generator().manual_seed(0))
    structure = build_structure(torch.unique(morton_encode(cells)), 4, 2)
    features = torch.randn(len(structure.fine_keys), 3)
    return SparseLevel(4, structure.fine_keys, features, fine_neighbours(structure))


def test_centres_lie_in_their_voxels() -> None:
    level = level_of(40)
    assert torch.equal(quantise(level.centers(), 4), level.coordinates)


def test_other_features_stay_on_the_same_voxels() -> None:
    level = level_of(40)
    other = level.with_features(torch.zeros(len(level), 7))
    assert other.features.shape == (len(level), 7)
    assert torch.equal(other.keys, level.keys)
    assert level.features.shape[1] == 3


def test_moving_keeps_everything() -> None:
    level = level_of(10)
    moved = level.to("cpu")
    assert torch.equal(moved.features, level.features)
    assert torch.equal(moved.neighbours.indices, level.neighbours.indices)
