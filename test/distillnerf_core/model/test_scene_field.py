import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.predictor import ScenePredictor, Stages
from distillnerf_core.model.scene_field import SceneField, build_row_table
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.pooling import quantise


def brute_force_rows(field: SceneField, points_m: torch.Tensor, heights: int) -> list[int]:
    structure = field.structure
    fine = {int(key): row for row, key in enumerate(structure.fine_keys)}
    coarse = {int(key): len(fine) + heights * row for row, key in enumerate(structure.coarse_keys)}
    cells = quantise(field.space.contract(points_m), structure.fine_level)
    rows = []
    for cell, key in zip(cells, morton_encode(cells).tolist(), strict=True):
        layer = int(cell[2]) % 2**structure.jump * heights // 2**structure.jump
        parent = coarse.get(key >> (3 * structure.jump))
        rows.append(fine.get(key, field.empty_row if parent is None else parent + layer))
    return rows


def scattered_points(field: SceneField) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    centers = field.space.voxel_centers(field.structure.fine_coordinates(), field.structure.fine_level)
    near = centers[torch.randint(len(centers), (300,), generator=generator)]
    near = near + 0.8 * torch.randn(near.shape, generator=generator)
    return torch.cat((near, 200.0 * torch.randn(100, 3, generator=generator)))


def test_rows_prefer_the_fine_voxel_and_fall_back_to_the_coarse_one(
    predictor: ScenePredictor, frame: MultiViewFrame
) -> None:
    field = predictor.encode_frame(frame)
    points = scattered_points(field)
    rows = field.rows(points)
    assert rows.tolist() == brute_force_rows(field, points, predictor.config.voxels.coarse_heights)
    kinds = {row < len(field.structure.fine_keys) for row in rows.tolist() if row != field.empty_row}
    assert kinds == {True, False}


def test_a_coarse_voxel_has_as_many_densities_as_layers(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    field = predictor.encode_frame(frame)
    structure, heights = field.structure, predictor.config.voxels.coarse_heights
    assert heights == 4
    assert len(field.logits) == len(structure.fine_keys) + heights * len(structure.coarse_keys) + 1
    layers = field.appearance[len(structure.fine_keys) : -1].view(-1, heights, field.appearance.shape[1])
    assert bool((layers == layers[:, :1]).all())
    single = build_row_table(structure, use_fine=False).view(-1, 8**structure.jump)
    assert single[:-1].unique(dim=1).shape[1] == 1
    assert bool((single[-1] == len(structure.fine_keys) + len(structure.coarse_keys)).all())


def test_empty_space_has_no_density(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    samples = predictor.encode_frame(frame).query(torch.tensor([[0.0, 0.0, 150.0], [0.0, 0.0, -150.0]]))
    assert samples.occupied.tolist() == [False, False]
    assert bool((samples.density < 1e-4).all())
    assert bool((samples.features == 0).all())


def test_without_fine_voxels_only_coarse_rows_remain(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    field = predictor.with_stages(Stages(two_stage_depth=False, fine_voxels=False)).encode_frame(frame)
    rows = field.rows(scattered_points(field))
    assert bool((rows >= len(field.structure.fine_keys)).all())
