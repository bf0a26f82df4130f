"""Queries that are kept: answered on every frame, limited, ended, and left alone by a loop of the recording."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import ClearQueries, QueryText
from geometry_msgs.msg import Point
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import Image, PointCloud2

from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.conversions.clouds import QUERY_POINT

Response = QueryText.Response
POINTS, HEAT = "/distillnerf/query/points", "/distillnerf/query/CAM_BACK/heatmap"


def perceive(world: Any, number: int) -> int:
    before = world.node.session.processed
    reference_ns = world.publish_sweep(number)
    world.wait_for("a frame", lambda: world.node.session.processed > before)
    return int(reference_ns)


def listen(world: Any, topic: str, kind: Any) -> None:
    world.listen(topic, kind)
    world.wait_for("listener", lambda: world.client.count_publishers(topic))
    outputs = world.node.session.queries
    world.wait_for("match", lambda: outputs.points_heard if topic == POINTS else outputs.heat_heard)


def test_kept_queries_answer_every_frame_until_they_are_cleared(world: Any, ask: Callable[..., Any]) -> None:
    world.activate()
    listen(world, POINTS, PointCloud2)
    perceive(world, 0)
    first = world.query(texts=["car"], threshold=0.0, max_points=7, keep=True, publish=False)
    second = world.query(texts=["tree", "road"], threshold=0.0, max_points=5, keep=True, publish=False)
    for number in (1, 2):
        reference_ns = perceive(world, number)
        cloud = world.wait_for_message(POINTS, lambda message, at=reference_ns: stamp_ns(message.header) == at)
        points = np.frombuffer(cloud.data, QUERY_POINT)
        assert points["query_id"].tolist() == [first.query_id] * 7 + [second.query_id] * 5
    ended = ask(world, ClearQueries, "clear_queries", query_ids=[first.query_id, 4711])
    assert (ended.success, list(ended.cleared), list(ended.kept)) == (True, [first.query_id], [second.query_id])
    reference_ns = perceive(world, 3)
    cloud = world.wait_for_message(POINTS, lambda message: stamp_ns(message.header) == reference_ns)
    assert set(np.frombuffer(cloud.data, QUERY_POINT)["query_id"]) == {second.query_id}
    assert list(ask(world, ClearQueries, "clear_queries").cleared) == [second.query_id]
    world.wait_for_message(POINTS, lambda message: message.width == 0)
    count = len(world.received[POINTS])
    perceive(world, 4)
    assert len(world.received[POINTS]) == count


def test_a_loop_of_the_recording_ends_no_query(world: Any) -> None:
    world.activate()
    listen(world, POINTS, PointCloud2)
    perceive(world, 20)
    kept = world.query(texts=["car"], threshold=0.0, keep=True, publish=False)
    world.publish_sweep(0)
    world.wait_for("the jump", lambda: world.node.session.latest is None or world.node.session.processed > 1)
    reference_ns = perceive(world, 1)
    cloud = world.wait_for_message(POINTS, lambda message: stamp_ns(message.header) == reference_ns)
    assert set(np.frombuffer(cloud.data, QUERY_POINT)["query_id"]) == {kept.query_id}


def test_more_than_query_max_keep_are_refused_with_the_remedy(
    make_world: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    world = make_world(query__max_keep=1)
    world.activate()
    perceive(world, 0)
    kept = world.query(texts=["car"], keep=True)
    refused = world.query(texts=["tree"], keep=True)
    assert (refused.success, refused.status) == (False, Response.BUSY)
    assert "query.max_keep" in refused.message
    assert "clear_queries" in refused.message
    assert ask(world, ClearQueries, "clear_queries", query_ids=[kept.query_id]).success
    assert world.query(texts=["tree"], keep=True).success
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert world.transition(transition)
    world.activate()
    perceive(world, 1)
    assert world.query(texts=["car"], keep=True).success, "cleanup ends kept queries with the network"


def test_a_kept_box_moves_with_its_frame(world: Any) -> None:
    """The vehicle drives 2.5 m a sweep along x: a box of the map moves backwards."""
    world.activate()
    listen(world, POINTS, PointCloud2)
    perceive(world, 0)
    corners = {"box_min": Point(x=8.0, y=-9.0, z=-1.0), "box_max": Point(x=14.0, y=9.0, z=5.0)}
    assert world.query(texts=["car"], threshold=0.0, frame_id="map", keep=True, publish=False, **corners).success
    for number in (1, 3):
        reference_ns = perceive(world, number)
        cloud = world.wait_for_message(POINTS, lambda message, at=reference_ns: stamp_ns(message.header) == at)
        driven = 5.0 * (reference_ns - 1_700_000_000_000_000_000) * 1e-9
        x = np.frombuffer(cloud.data, QUERY_POINT)["x"]
        assert len(x) > 0
        assert (8.0 - driven <= x + 1e-3).all()
        assert (x - 1e-3 <= 14.0 - driven).all()


@pytest.mark.parametrize("keep", [False, True], ids=["once", "kept"])
def test_heat_is_published_in_the_camera_s_frame_at_its_image_s_time(world: Any, keep: bool) -> None:
    world.activate()
    listen(world, HEAT, Image)
    perceive(world, 0)
    assert world.query(texts=["car", "tree"], keep=keep).success
    image = world.wait_for_message(HEAT)
    if keep:
        perceive(world, 1)
        stamps = world.node.session.latest.assembled.frame.camera_stamps_ns
        image = world.wait_for_message(HEAT, lambda message: stamp_ns(message.header) in stamps)
    frame = world.node.session.latest.assembled.frame
    assert stamp_ns(image.header) == frame.camera_stamps_ns[frame.rig.names.index("CAM_BACK")]
    assert (image.header.frame_id, image.encoding, image.height, image.width) == ("CAM_BACK", "32FC1", 24, 44)
    heat = np.frombuffer(image.data, np.float32)
    assert ((heat >= 0) & (heat <= 1)).all()
    assert heat.max() > 0


def test_a_frame_that_gets_lost_is_said_and_others_go_on(world: Any) -> None:
    world.activate()
    listen(world, POINTS, PointCloud2)
    perceive(world, 0)
    assert world.query(texts=["car"], frame_id="map", keep=True, publish=False).success
    sound = world.query(texts=["tree"], threshold=0.0, keep=True, publish=False)
    world.node.session.base_from("map", world.node.session.latest.result.stamp_ns)
    world.node.session._extrapolation_s = -100.0
    reference_ns = perceive(world, 1)
    cloud = world.wait_for_message(POINTS, lambda message: stamp_ns(message.header) == reference_ns)
    assert set(np.frombuffer(cloud.data, QUERY_POINT)["query_id"]) == {sound.query_id}
    world.wait_for_trouble("query", "kept query", "map")
