from pathlib import Path

import pytest
import torch

from distillnerf_core.configuration import parse_config
from distillnerf_core.geometry.transforms import transform_points
from distillnerf_core.model.depth_bins import depth_edges
from distillnerf_core.model.depth_prior.extractor import working_size
from distillnerf_core.model.reference.choices import FOLLOWED, Choice
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig

TABLE = {
    # name: cameras, input, render grid, z inner, ratio, far, depth bins, renderer bins, features
    "reference-linear": (6, (128, 228), (64, 114), 15.0, 0.999, 50.0, 250, 250, False),
    "reference-parameterized": (6, (128, 228), (64, 114), 6.4, 0.8, 120.0, 286, 286, False),
    "reference-400x224": (6, (224, 400), (112, 200), 6.4, 0.8, 120.0, 286, 143, False),
    "reference-clip": (6, (128, 228), (64, 114), 15.0, 0.999, 50.0, 250, 250, True),
    "reference-dino": (6, (128, 228), (64, 114), 15.0, 0.999, 50.0, 250, 250, True),
    "reference-400x224-clip": (6, (224, 400), (112, 200), 6.4, 0.8, 120.0, 286, 143, True),
    "reference-400x224-dino": (6, (224, 400), (112, 200), 6.4, 0.8, 120.0, 286, 143, True),
    "reference-waymo-linear": (3, (144, 216), (72, 108), 15.0, 0.999, 50.0, 250, 250, False),
    "reference-waymo-parameterized": (3, (144, 216), (72, 108), 6.4, 0.8, 120.0, 286, 286, False),
}


def test_the_variants_are_those_of_the_table() -> None:
    found = {
        name: (
            config.cameras,
            config.input_size,
            config.render_size,
            config.z_inner_m,
            config.ratio,
            config.far_m,
            config.depth_bin_count,
            len(depth_edges(config.renderer.bins)) - 1,
            config.feature_head,
        )
        for name, config in VARIANTS.items()
    }
    assert found == TABLE
    assert all(config.name == name for name, config in VARIANTS.items())


def test_buffers_of_the_checkpoints_have_these_sizes(shared_dir: Path) -> None:
    files = {
        "linearspace": "reference-linear",
        "param_400x224": "reference-400x224",
        "waymo_param": "reference-waymo-parameterized",
    }
    for file, name in files.items():
        lines = (shared_dir / "spec/state_dict" / f"state_dict_{file}.tsv").read_text().splitlines()
        shapes = dict(line.split("\t")[:2] for line in lines)
        for key, size in (("frustum", VARIANTS[name].input_size), ("render_frust", VARIANTS[name].render_size)):
            assert shapes[f"model.{key}"] == f"125x{size[0]}x{size[1]}x3"


def test_space_is_contracted_about_the_field_frame() -> None:
    space = VARIANTS["reference-linear"].space
    contracted = space.contract(torch.tensor([[25.0, -50.0, 7.5], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(contracted, torch.tensor([[0.4995, -0.999, 0.4995], [0.0, 0.0, 0.0]]))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("reference-linear", (518, 910)),
        ("reference-400x224", (518, 924)),
        ("reference-waymo-linear", (518, 770)),
    ],
)
def test_the_prior_works_at_the_published_size(name: str, size: tuple[int, int]) -> None:
    config = VARIANTS[name]
    assert working_size(*config.input_size, config.prior.short_side_px) == size


def test_the_field_frame_is_that_of_the_lidar() -> None:
    field_from_ego = VARIANTS["reference-linear"].field_from_ego()
    # On the ground ahead of the LiDAR: 10 m along its y axis, and as far below it as it is mounted high.
    ahead = transform_points(field_from_ego, torch.tensor([[10.943713, 0.0, 0.0], [0.943713, 2.0, 1.84023]]))
    torch.testing.assert_close(ahead, torch.tensor([[0.0, 10.0, -1.84023], [-2.0, 0.0, 0.0]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(VARIANTS["reference-waymo-linear"].field_from_ego(), torch.eye(4))


def test_a_variant_survives_json() -> None:
    import json

    for config in VARIANTS.values():
        assert parse_config(json.loads(config.model_dump_json()), ReferenceConfig) == config


def test_rendering_has_no_randomness_but_the_first_leaf_is_empty() -> None:
    assert Choice.SAMPLE_JITTER not in FOLLOWED
    assert VARIANTS["reference-linear"].empty_first_leaf
    assert not VARIANTS["reference-linear"].model_copy(update={"choices": ()}).empty_first_leaf
    assert all(choice.sentence.endswith(".") for choice in Choice)
