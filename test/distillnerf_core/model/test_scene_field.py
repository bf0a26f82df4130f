import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.predictor import ScenePredictor, Stages
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.pooling import quantise


def brute_force_rows(field: SceneField, points_m: torch.Tensor) -> list[int]:
    structure = field.structure
    fine = {int(key): row for row, key in enumerate(structure.fine_keys)}
    coarse = {int(key): len(fine) + row for row, key in enumerate(structure.coarse_keys)}
    keys = morton_encode(quantise(field.space.contract(points_m), structure.fine_level))
    return [fine.get(int(key), coarse.get(int(key) >> (3 * structure.jump), field.empty_row)) for key in keys]


def scattered_points(field: SceneField) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    centers = field.space.voxel_centers(field.structure.fine_coordinates(), field.structure.fine_level)
    near = centers[torch.randint(len(centers), (300,), generator=generator)]
    near = near + 0.8 * torch.randn(near.shape, generator=generator)
    return torch.cat((near, 200.0 * torch.randn(100, 3, generator=generator)))


def test_rows_prefer_the_fine_voxel_and_fall_back_to_the_coarse_one(
    predictor: ScenePredictor, frame: MultiViewFrame
) -> None:
    field = predictor.encode(frame)
    points = scattered_points(field)
    rows = field.rows(points)
    assert rows.tolist() == brute_force_rows(field, points)
    kinds = {row < len(field.structure.fine_keys) for row in rows.tolist() if row != field.empty_row}
    assert kinds == {True, False}


def test_empty_space_has_no_density(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    samples = predictor.encode(frame).query(torch.tensor([[0.0, 0.0, 150.0], [0.0, 0.0, -150.0]]))
    assert samples.occupied.tolist() == [False, False]
    assert bool((samples.density < 1e-4).all())
    assert bool((samples.features == 0).all())


def test_without_fine_voxels_only_coarse_rows_remain(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    field = predictor.with_stages(Stages(two_stage_depth=False, fine_voxels=False)).encode(frame)
    rows = field.rows(scattered_points(field))
    assert bool((rows >= len(field.structure.fine_keys)).all())
