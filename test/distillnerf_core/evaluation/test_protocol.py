import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from distillnerf_core.evaluation.estimates import FlatGroundMethod, SceneEstimate
from distillnerf_core.evaluation.protocol import QUERY_WORDS, evaluate_method, frame_figures, summarise
from distillnerf_core.evaluation.report import GOALS, build_table, meets_goal
from distillnerf_core.frames import MultiViewFrame, SupervisedFrame
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep


@pytest.fixture(scope="module")
def truth() -> SupervisedFrame:
    return simulate_sweep(sample_scene(3), 0, SimulationConfig(height=24, width=44, supersampling=1))


@dataclass(frozen=True)
class Oracle:
    """Knows the truth."""

    truth: SupervisedFrame

    def estimate(self, frame: MultiViewFrame, texts: Sequence[str]) -> SceneEstimate:
        classes = [CLASS_NAMES.index(QUERY_WORDS[text]) for text in texts]
        scores = torch.stack([(self.truth.occupancy == number).float() for number in classes])
        depth = ray_distance_to_z_depth(self.truth.ray_distance_m, frame.rig)
        return SceneEstimate(depth, frame.images, self.truth.occupancy, scores)


def test_the_truth_gets_perfect_figures(truth: SupervisedFrame) -> None:
    row = evaluate_method(Oracle(truth), [truth])[0]
    assert row["abs_rel"] == pytest.approx(0.0, abs=1e-6)
    assert row["delta1"] == row["iou"] == row["miou"] == 1.0
    assert row["psnr_db"] == math.inf
    for word in QUERY_WORDS:
        assert math.isnan(row[f"ap {word}"]) or row[f"ap {word}"] == pytest.approx(1.0)


def test_a_uniform_score_finds_a_class_as_often_as_it_occurs(truth: SupervisedFrame) -> None:
    oracle = Oracle(truth).estimate(truth.frame, tuple(QUERY_WORDS))
    uniform = SceneEstimate(oracle.z_depth_m, oracle.rgb, oracle.labels, torch.ones_like(oracle.scores))
    row = frame_figures(uniform, truth)
    for word in QUERY_WORDS:
        if not math.isnan(row[f"ratio {word}"]):
            assert row[f"ratio {word}"] == pytest.approx(1.0)


def test_the_flat_ground_prior_gets_the_road_about_right_and_the_rest_wrong(truth: SupervisedFrame) -> None:
    row = evaluate_method(FlatGroundMethod(25.0, OCC3D_GRID), [truth])[0]
    assert 0.1 < row["abs_rel"] < 5.0
    assert 0.0 < row["iou"] < 0.7
    assert row["ratio automobile"] <= 1.5 or math.isnan(row["ratio automobile"])


def test_voxels_outside_the_visible_region_do_not_count(truth: SupervisedFrame) -> None:
    oracle = Oracle(truth).estimate(truth.frame, tuple(QUERY_WORDS))
    labels = torch.where(truth.visible, oracle.labels, FREE).to(torch.uint8)
    row = frame_figures(SceneEstimate(oracle.z_depth_m, oracle.rgb, labels, oracle.scores), truth)
    assert row["iou"] == 1.0


def test_summaries_average_frames_before_scenes() -> None:
    rows = [{"x": 1.0}, {"x": 3.0}, {"x": math.nan}, {"x": 6.0}]
    summary = summarise(rows, frames_per_scene=2)["x"]
    assert (summary.mean, summary.scenes) == (4.0, 2)
    assert summary.spread == pytest.approx(math.sqrt(8.0))


def test_queries_use_words_that_the_teacher_never_saw() -> None:
    taught = {word.lower() for words in CLASS_PROMPTS.values() for word in words}
    assert not taught & set(QUERY_WORDS)
    assert not set(CLASS_NAMES) & set(QUERY_WORDS)


def test_goals_are_judged_in_the_right_direction() -> None:
    assert meets_goal("abs_rel", 0.1) is True
    assert meets_goal("abs_rel", 0.2) is False
    assert meets_goal("iou", 0.3) is False
    assert meets_goal("rmse_m", 1.0) is None
    assert set(GOALS) >= {"abs_rel", "delta1", "iou", "miou", "psnr_db"}


def test_the_table_has_a_column_for_each_method() -> None:
    figures = summarise([{"abs_rel": 0.1, "iou": 0.5}], 1)
    table = build_table({"ours": figures, "prior": figures})
    assert [column.header for column in table.columns] == ["figure", "ours", "prior", "goal", ""]
    assert table.row_count == 2
