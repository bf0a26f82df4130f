import json

from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.perception.summary import describe_frame, summarise_frames


def test_a_frame_is_described_in_plain_values(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    answer = pipeline.query(result, TextQuery(("automobile", "oak tree"), threshold=0.0))
    described = describe_frame(result, answer)
    assert json.loads(json.dumps(described)) == described
    assert described["cameras"] == ["CAM_FRONT", "CAM_BACK"]
    assert sum(described["class_voxels"].values()) == described["occupied_voxels"]
    assert described["queries"]["automobile"]["count"] == described["occupied_voxels"]
    best = described["queries"]["oak tree"]["regions"][0]
    assert set(best) == {"center_m", "size_m", "score", "voxels"}


def test_frames_are_averaged(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    first = describe_frame(result, pipeline.query(result, TextQuery(("automobile",))))
    second = {**first, "occupied_voxels": first["occupied_voxels"] + 10}
    summary = summarise_frames([first, second])
    assert summary["frames"] == 2
    assert summary["mean_occupied_voxels"] == first["occupied_voxels"] + 5
    assert summary["queries"]["automobile"]["max_score"] == first["queries"]["automobile"]["max_score"]
    assert summarise_frames([]) == {"frames": 0}
