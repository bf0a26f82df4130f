import torch

from distillnerf_core.evaluation.estimates import PipelineMethod, images_at_size
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery

_TEXTS = ("automobile", "oak tree", "house")


def test_scores_are_those_of_an_answer_without_threshold(
    pipeline: PerceptionPipeline, flat_road: SupervisedFrame
) -> None:
    estimate = PipelineMethod(pipeline).estimate(flat_road.frame, _TEXTS)
    result = pipeline.perceive(flat_road.frame)
    assert result.occupancy is not None
    answer = pipeline.query(result, TextQuery(_TEXTS, threshold=0.0))
    x, y, z = result.occupancy.occupied.index.unbind(dim=1)
    assert 0 < len(x) < estimate.labels.numel()
    assert torch.equal(estimate.scores[:, x, y, z], answer.scores)
    elsewhere = ~result.occupancy.occupied_mask
    assert not bool(estimate.scores[:, elsewhere].any())
    assert torch.equal(estimate.labels, result.occupancy.labels)


def test_images_get_the_size_of_the_input(pipeline: PerceptionPipeline, flat_road: SupervisedFrame) -> None:
    result = pipeline.perceive(flat_road.frame)
    z_depth_m, rgb = images_at_size(result, 64, 128)
    assert z_depth_m.shape == (2, 64, 128)
    assert rgb.shape == (2, 3, 64, 128)
    assert result.depth is not None
    same, _ = images_at_size(result, *result.depth.z_depth_m.shape[-2:])
    torch.testing.assert_close(same, result.depth.z_depth_m)
