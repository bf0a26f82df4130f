from dataclasses import replace

import numpy as np
import pytest
import torch

from distillnerf_core.data.frame_folder import RecordedFrame
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.evaluation.estimates import FLAT_GROUND_M, PipelineMethod
from distillnerf_core.evaluation.metrics import depth_errors, psnr
from distillnerf_core.evaluation.recorded import flat_ground_figures, recorded_figures
from distillnerf_core.frames import MultiViewFrame, SupervisedFrame
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import PerceptionResult

_CAR = LabelledBox("vehicle.car", (14.0, 1.0, 1.5), (6.0, 8.0, 4.0), 0.3)
_TREE = LabelledBox("vegetation", (0.0, 14.0, 1.0), (12.0, 12.0, 8.0), 0.0)


@pytest.fixture
def recorded() -> RecordedFrame:
    return RecordedFrame(1, (), np.eye(4), True, None, (_CAR, _TREE))


def test_figures_are_those_of_one_glance(
    pipeline: PerceptionPipeline,
    flat_road: SupervisedFrame,
    recorded: RecordedFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    glances = []
    perceive = pipeline.perceive

    def counted(frame: MultiViewFrame) -> PerceptionResult:
        glances.append(frame)
        return perceive(frame)

    monkeypatch.setattr(pipeline, "perceive", counted)
    figures = recorded_figures(pipeline, recorded, flat_road, "car")
    assert len(glances) == 1

    estimate = PipelineMethod(pipeline).estimate(flat_road.frame, ["car"])
    truth = ray_distance_to_z_depth(flat_road.ray_distance_m, flat_road.frame.rig)
    assert figures["lidar_abs_rel"] == depth_errors(estimate.z_depth_m, truth, max_m=80.0).abs_rel
    assert figures["psnr_db"] == psnr(estimate.rgb.clamp(0, 1), flat_road.frame.images)


def test_only_boxes_of_the_class_count(
    pipeline: PerceptionPipeline, flat_road: SupervisedFrame, recorded: RecordedFrame
) -> None:
    result = pipeline.perceive(flat_road.frame)
    assert result.occupancy is not None
    inside = _CAR.contains(result.occupancy.occupied.centers_m(result.occupancy.grid))
    share = inside.float().mean().item()
    assert 0 < share < 1
    figures = recorded_figures(pipeline, recorded, flat_road, "car")
    # The fixture's threshold is zero, so that all voxels are found.
    assert figures["query_found"] == len(inside)
    assert figures["query_base_rate"] == figures["query_precision"] == pytest.approx(share)
    assert figures["query_ratio"] == pytest.approx(1.0)
    assert torch.isnan(torch.tensor(recorded_figures(pipeline, recorded, flat_road, "bus")["query_ratio"]))


def test_flat_ground_is_right_about_flat_ground_and_at_one_distance_elsewhere(flat_road: SupervisedFrame) -> None:
    near = flat_road.ray_distance_m < FLAT_GROUND_M
    ground = replace(flat_road, ray_distance_m=torch.where(near, flat_road.ray_distance_m, torch.nan))
    figures = flat_ground_figures(ground)
    assert figures["lidar_pixels"] == float(near.sum()) > 100
    assert figures["lidar_abs_rel"] < 1e-5
    wall = replace(flat_road, ray_distance_m=torch.where(near, torch.nan, 0.8 * FLAT_GROUND_M))
    assert flat_ground_figures(wall)["lidar_abs_rel"] == pytest.approx(0.25, rel=1e-4)
