"""The recipes of the benchmark add one thing after the other, and its table says what it was given."""

from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console

from benchmarks.distillation import COLUMNS, build_table
from benchmarks.distillation_variants import ABLATIONS, STEPS, VARIANTS
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.training.config import LossWeights


def test_each_step_adds_to_the_one_before() -> None:
    for (_, before), (name, after) in pairwise(STEPS.items()):
        assert set(before.terms) <= set(after.terms), name
        assert set(before.others) <= set(after.others), name
        assert before.taught <= after.taught, name
        assert (before.terms, before.others, before.taught) != (after.terms, after.others, after.taught), name
        assert not after.predictor


def test_weights_are_the_usual_ones_of_what_takes_part() -> None:
    usual = LossWeights()
    nothing = STEPS["no distillation"].weights()
    assert {name for name, value in nothing.model_dump().items() if value} == {"color", "opacity", "entropy"}
    full = STEPS["+ 3D points (full)"].weights()
    assert full == usual
    assert [name for name, variant in STEPS.items() if variant.knows_classes] == ["+ features", "+ 3D points (full)"]


def test_ablations_differ_from_the_full_recipe_in_the_network_alone() -> None:
    full, usual = STEPS["+ 3D points (full)"], STEPS["+ 3D points (full)"].architecture()
    for name, ablated in ABLATIONS.items():
        assert (ablated.terms, ablated.others, ablated.taught) == (full.terms, full.others, full.taught), name
        config = ablated.architecture()
        changed = {key for key in PredictorConfig.model_fields if getattr(config, key) != getattr(usual, key)}
        assert changed == set(ablated.predictor), name
    bounded = ABLATIONS["full, bounded space"].architecture().space
    linear = ABLATIONS["full, linear decoder"].architecture().decoder
    assert linear == usual.decoder.model_copy(update={"kind": "linear"})
    voxel_m = [2 * inner / 256 for inner in bounded.inner_m]
    near_m = [2 * inner / (256 * usual.space.ratio) for inner in usual.space.inner_m]
    assert voxel_m == pytest.approx(near_m, rel=1e-4)


def test_the_table_shows_means_and_half_ranges() -> None:
    rows = [dict.fromkeys(COLUMNS, 0.25), dict.fromkeys(COLUMNS, 0.75)]
    page = StringIO()
    Console(width=160, file=page).print(build_table(dict.fromkeys(VARIANTS, rows)))
    text = page.getvalue()
    lines = [line for line in text.splitlines() if "full, linear decoder" in line]
    assert len(lines) == 1 and lines[0].count("0.500 ± 0.250") == len(COLUMNS)
    lidar = next(line for line in text.splitlines() if "+ LiDAR" in line)
    assert "knows no classes" in lidar and lidar.count("0.500 ± 0.250") == len(COLUMNS) - 1
