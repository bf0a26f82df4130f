"""A listener learns how far each kind of network is, and changes nothing."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.progress import Progress
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import PerceptionResult

PUBLISHED = ["depth prior", "coarse depth", "fine depth", "lifting", "sparse network", "rendering", "decoder"]


def _stages(seen: list[Progress]) -> dict[str, list[Progress]]:
    """Returns the reports of each stage; a stage that occurs twice is an error."""
    runs = [(stage, list(reports)) for stage, reports in groupby(seen, lambda report: report.stage)]
    assert len(dict(runs)) == len(runs)
    return dict(runs)


def test_every_stage_of_the_published_network_is_reported_in_order(
    frame: MultiViewFrame, reference_weights: Callable[[str], Path]
) -> None:
    pipeline = PerceptionPipeline.from_checkpoint(reference_weights("reference-linear"), device="cpu")
    seen: list[Progress] = []
    watched = pipeline.perceive(frame, progress=seen.append)
    stages = _stages(seen)
    assert list(stages) == PUBLISHED
    for reports in stages.values():
        assert [report.done for report in reports] == list(range(reports[0].total))
    cameras = int(frame.camera_mask.sum())
    assert stages["fine depth"][0].total == cameras
    assert stages["depth prior"][0].total % cameras == 0
    assert stages["sparse network"][0].total == 8
    alone = pipeline.perceive(frame)
    assert _stages(seen).keys() == stages.keys()
    assert alone.rgb is not None
    assert watched.rgb is not None
    assert torch.equal(alone.rgb, watched.rgb)


def test_the_own_network_reports_too(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    seen: list[Progress] = []
    again = pipeline.perceive(frame, progress=seen.append)
    assert list(_stages(seen)) == ["encoding", "rendering"]
    assert again.depth is not None
    assert result.depth is not None
    torch.testing.assert_close(again.depth.z_depth_m, result.depth.z_depth_m, equal_nan=True)
