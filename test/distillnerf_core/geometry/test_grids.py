import torch

from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid


def test_the_occ3d_grid_spans_its_box() -> None:
    torch.testing.assert_close(torch.tensor(OCC3D_GRID.upper_m), torch.tensor([40.0, 40.0, 5.4]))


def test_centres_fall_into_their_own_voxels() -> None:
    grid = VoxelGrid((-2.0, 1.0, 0.5), 0.5, (4, 3, 2))
    index, inside = grid.indices(grid.centers_m().reshape(-1, 3))
    expected = torch.cartesian_prod(torch.arange(4), torch.arange(3), torch.arange(2))
    assert bool(inside.all())
    assert torch.equal(index, expected)


def test_points_outside_are_marked() -> None:
    _, inside = OCC3D_GRID.indices(torch.tensor([[40.1, 0.0, 0.0], [0.0, 0.0, -1.1], [0.0, 0.0, 0.0]]))
    assert inside.tolist() == [False, False, True]
