from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.field_table import LevelContent, assemble_field
from distillnerf_core.model.reference.voxel_field import RENDER_LOGIT_LIMIT, no_language, without_first
from distillnerf_core.model.renderer import RendererConfig, render_rays
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.voxels.morton import morton_encode
from distillnerf_core.voxels.structure import build_structure

LINEAR = ContractedSpace(inner_m=(50.0, 50.0, 15.0), center_m=(0.0, 0.0, 0.0), ratio=0.999)
LINEAR_RENDERER = RendererConfig(
    bins=DepthBinsConfig(spacing="contracted", near_m=0.1, far_m=50.0, inner_m=50.0, step_m=0.2, ratio=0.999),
    importance_samples=30,
    importance_step_range_m=(0.1, 0.1),
    importance_from_start=True,
    importance_near_m=0.0,
    negligible=0.0,
)


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> dict[str, Tensor]:
    with np.load(golden_dir / "renderer_small_linear.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


@pytest.fixture(scope="module")
def field(golden_dir: Path) -> SceneField:
    with np.load(golden_dir / "octree_small.npz") as archive:
        octree = {name: torch.from_numpy(archive[name]) for name in archive.files}
    structure = build_structure(morton_encode(octree["q5"].long()).unique(), fine_level=5, coarse_level=3)
    fine, coarse = (
        without_first(LevelContent(octree[name][:, :32], 3.0 * octree[name][:, 32:] - 1.0))
        for name in ("feats5", "feats3")
    )
    return assemble_field(LINEAR, structure, fine, coarse, no_language, RENDER_LOGIT_LIMIT, head_sees_empty=True)


def test_points_find_the_published_content(golden: dict[str, Tensor], field: SceneField) -> None:
    rows = field.rows(golden["xyz"][0])
    expected = golden["sampled"][0]
    wrong = (field.appearance[rows] - expected[:, :64]).abs().amax(dim=1) > 1e-5
    assert int(wrong.sum()) == 0
    torch.testing.assert_close(field.logits[rows][:, None], golden["collected_logit"], rtol=1e-5, atol=1e-5)


def test_rays_see_the_published_features_and_depth(golden: dict[str, Tensor], field: SceneField) -> None:
    rendered = render_rays(field, field.appearance, golden["rays_o"][0], golden["rays_d"][0], LINEAR_RENDERER)
    torch.testing.assert_close(rendered.distance_m, golden["depth"][0, :, 0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(rendered.gap_weights, golden["weights"][0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(2.0 * rendered.features - 1.0, golden["rgb"][0, :, :64], rtol=1e-5, atol=1e-5)


def test_the_first_leaf_is_occupied_and_empty() -> None:
    content = LevelContent(torch.ones(3, 2), torch.full((3, 1), 4.0))
    emptied = without_first(content)
    assert emptied.features.tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert emptied.logits[:, 0].tolist() == [0.0, 4.0, 4.0]
