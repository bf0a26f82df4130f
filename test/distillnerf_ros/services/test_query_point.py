"""/query_point: what is at a point."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import QueryPoint, QueryText
from geometry_msgs.msg import Point, PointStamped
from std_msgs.msg import Header

from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_ros.conversions.fields import header, stamp_to_ns

Response = QueryText.Response


def at(x: float, y: float, z: float, frame_id: str = "") -> PointStamped:
    return PointStamped(header=Header(frame_id=frame_id), point=Point(x=x, y=y, z=z))


def test_an_occupied_voxel_says_what_it_is_in_any_frame(street: Any, ask: Callable[..., Any]) -> None:
    perceived = street.node.session.latest
    occupancy = perceived.result.occupancy
    index = occupancy.occupied.index[7]
    place = occupancy.occupied.centers_m(occupancy.grid)[7].double().numpy()
    pose = street.node.session.base_from("CAM_BACK", perceived.result.stamp_ns)
    in_camera = pose[:3, :3].T @ (place - pose[:3, 3])
    answers = [
        ask(
            street,
            QueryPoint,
            "query_point",
            point=at(float(values[0]), float(values[1]), float(values[2]), frame),
            top=3,
        )
        for values, frame in ((place, ""), (in_camera, "CAM_BACK"))
    ]
    for answer in answers:
        assert (answer.success, answer.status, answer.message) == (True, Response.OK, "")
        assert answer.occupied
        assert answer.label == int(occupancy.labels[tuple(index)])
        assert answer.class_name == CLASS_NAMES[answer.label]
        assert answer.score == pytest.approx(float(occupancy.confidence[tuple(index)]))
        assert answer.header.frame_id == "base_link"
        assert len(answer.top_texts) == 3
        assert list(answer.top_scores) == sorted(answer.top_scores, reverse=True)
        assert answer.top_texts[0] == answer.class_name
    assert answers[0].density == pytest.approx(answers[1].density, rel=1e-3)


def test_own_texts_are_compared(street: Any, ask: Callable[..., Any]) -> None:
    occupancy = street.node.session.latest.result.occupancy
    x, y, z = occupancy.occupied.centers_m(occupancy.grid)[3].tolist()
    answer = ask(street, QueryPoint, "query_point", point=at(x, y, z), texts=["car", "tree"])
    assert set(answer.top_texts) == {"car", "tree"}
    nothing = ask(street, QueryPoint, "query_point", point=at(x, y, z), top=0)
    assert (nothing.success, len(nothing.top_texts)) == (True, 0)


def test_beyond_the_grid_nothing_is_known(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(street, QueryPoint, "query_point", point=at(0.0, 0.0, 500.0))
    assert (answer.success, answer.occupied, answer.class_name) == (True, False, "unknown")
    assert np.isfinite(answer.density)


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"point": at(math.nan, 0.0, 0.0)}, Response.BAD_REQUEST, "finite"),
        ({"point": at(0.0, math.inf, 0.0, "map")}, Response.BAD_REQUEST, "finite"),
        ({"point": at(0.0, 0.0, 0.0, "moon")}, Response.TF_ERROR, "moon"),
        ({"point": at(0.0, 0.0, 0.0), "texts": ["x" * 9999]}, Response.BAD_REQUEST, "query.max_text_length"),
        ({"point": at(0.0, 0.0, 0.0), "texts": [" "]}, Response.BAD_REQUEST, "texts[0] is empty"),
    ],
    ids=["nan", "infinite", "frame", "long", "blank"],
)
def test_senseless_points_are_refused(
    street: Any, ask: Callable[..., Any], fields: Any, status: int, word: str
) -> None:
    answer = ask(street, QueryPoint, "query_point", **fields)
    assert (answer.success, answer.status) == (False, status)
    assert word in answer.message


def test_a_huge_point_is_answered(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(street, QueryPoint, "query_point", point=at(1e300, -1e300, 1e38))
    assert answer.status in (Response.OK, Response.BAD_REQUEST), answer.message


def test_the_stamp_chooses_among_remembered_frames(make_world: Callable[..., Any], ask: Callable[..., Any]) -> None:
    world = make_world(cache__frames=2, input__reliability="reliable")
    world.activate()
    for number in range(2):
        world.publish_sweep(number)
        world.wait_for("a frame", lambda wanted=number: world.node.session.processed > wanted)
    newest = world.node.session.latest.result.stamp_ns
    place = at(1.0, 2.0, 0.5)
    assert stamp_to_ns(ask(world, QueryPoint, "query_point", point=place).header.stamp) == newest
    place.header = header(newest - 400_000_000, "")
    assert stamp_to_ns(ask(world, QueryPoint, "query_point", point=place).header.stamp) == newest - 500_000_000
