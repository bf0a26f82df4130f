import pytest
import torch

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.perception.boxes import Box
from distillnerf_core.perception.crop import crop
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

_GRID = VoxelGrid((-4.0, -4.0, -1.0), 0.4, (20, 20, 5))


@pytest.fixture
def numbered() -> SemanticOccupancy:
    """An occupancy whose labels and confidences tell where a voxel is."""
    labels = (torch.arange(2000) % 17).to(torch.uint8).view(_GRID.size)
    index = (labels < 17).nonzero()
    values = torch.arange(2000).view(_GRID.size) / 2000
    return SemanticOccupancy(_GRID, labels, values, values, OccupiedVoxels(index, torch.zeros(len(index), 1)))


def test_voxels_whose_centres_lie_in_the_bounds_are_cut_out(numbered: SemanticOccupancy) -> None:
    box = Box((-1.0, 0.3, -0.5), (2.05, 3.0, 9.0))
    block = crop(numbered, box)
    inside = box.contains(_GRID.centers_m().reshape(-1, 3)).view(_GRID.size)
    assert block.labels.shape == block.grid.size
    assert torch.equal(block.labels.flatten(), numbered.labels[inside])
    assert torch.equal(block.confidence.flatten(), numbered.confidence[inside])
    torch.testing.assert_close(block.grid.centers_m().reshape(-1, 3), _GRID.centers_m()[inside])


def test_no_box_is_everything(numbered: SemanticOccupancy) -> None:
    block = crop(numbered, None)
    assert block.grid == _GRID
    assert block.labels is numbered.labels


def test_a_box_far_larger_than_the_volume_is_everything(numbered: SemanticOccupancy) -> None:
    assert crop(numbered, Box((-1e300,) * 3, (1e300,) * 3)).grid.size == _GRID.size


@pytest.mark.parametrize(
    "box", [Box((5.0, 0.0, 0.0), (6.0, 1.0, 1.0)), Box((0.05, 0.0, 0.0), (0.1, 1.0, 1.0))], ids=["outside", "thin"]
)
def test_a_box_without_a_voxel_is_refused(numbered: SemanticOccupancy, box: Box) -> None:
    with pytest.raises(QueryError, match=r"reaches from \[-4, -4, -1\] to \[4, 4, 1\]"):
        crop(numbered, box)
