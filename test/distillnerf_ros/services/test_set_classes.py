"""/set_classes: labels in other words, from the next frame on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.msg import SemanticVoxelGrid
from distillnerf_ros.srv import QueryText, SetClasses
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import ColorRGBA

from distillnerf_core.language.classes import CLASS_NAMES, SKY_COLOR, UNKNOWN
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.conversions.clouds import OCCUPANCY_POINT

Response = QueryText.Response
GRID, POINTS = "/distillnerf/occupancy/grid", "/distillnerf/occupancy/points"
SEMANTICS = "/distillnerf/CAM_FRONT/semantics/image"
RED, GREEN = ColorRGBA(r=1.0, a=1.0), ColorRGBA(g=1.0, a=1.0)


def perceive(world: Any, number: int) -> SemanticVoxelGrid:
    reference_ns = world.publish_sweep(number)
    return world.wait_for_message(GRID, lambda message: stamp_ns(message.header) == reference_ns)


def test_labels_colours_and_names_change_with_the_next_frame(world: Any, ask: Callable[..., Any]) -> None:
    for topic, kind in ((GRID, SemanticVoxelGrid), (POINTS, PointCloud2), (SEMANTICS, Image)):
        world.listen(topic, kind)
    world.activate()
    for topic in (GRID, POINTS, SEMANTICS):
        world.wait_for("listener", lambda topic=topic: world.client.count_publishers(topic))
    before = perceive(world, 0)
    names = ["ground", "thing"]
    answer = ask(
        world, SetClasses, "set_classes", names=names, prompts=["road|sidewalk", "car|truck"], colors=[RED, GREEN]
    )
    assert (answer.success, list(answer.class_names), answer.message) == (True, names, "")
    grid = perceive(world, 1)
    assert list(grid.class_names) == ["ground", "thing", "free"]
    assert [color.r for color in grid.class_colors][:2] == [1.0, 0.0]
    old, new = (np.frombuffer(message.label, np.uint8) for message in (before, grid))
    assert set(np.unique(new)) <= {0, 1, 2, UNKNOWN}
    np.testing.assert_array_equal(old < 17, new < 2)
    cloud = world.wait_for_message(POINTS, lambda message: message.header.stamp == grid.header.stamp)
    points = np.frombuffer(cloud.data, OCCUPANCY_POINT)
    np.testing.assert_array_equal(points["label"], new[new < 2])
    assert set(points["rgb"][points["label"] == 0]) <= {0xFF0000}
    image = world.wait_for_message(
        SEMANTICS, lambda message: stamp_ns(message.header) > stamp_ns(before.header) + 10**8
    )
    colors = {tuple(color) for color in np.frombuffer(image.data, np.uint8).reshape(-1, 3).tolist()}
    assert colors <= {(255, 0, 0), (0, 255, 0), SKY_COLOR}
    restored = ask(world, SetClasses, "set_classes")
    assert list(restored.class_names) == list(CLASS_NAMES)
    again = np.frombuffer(perceive(world, 0 + 2).label, np.uint8)
    assert set(np.unique(again)) - {17, UNKNOWN} != set(np.unique(new)) - {2, UNKNOWN}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"names": [str(number) for number in range(251)]}, "1 to 250"),
        ({"names": ["car"] * 100_000}, "1 to 250"),
        ({"names": ["car", "car"]}, "again"),
        ({"names": ["free"]}, "without a class"),
        ({"names": ["car"], "prompts": ["a", "b"]}, "prompts"),
        ({"names": ["car"], "prompts": ["|" * 100_000]}, "prompts"),
        ({"names": ["car"], "prompts": ["x" * 100_000]}, "query.max_text_length"),
        ({"names": ["x" * 100_000]}, "query.max_text_length"),
        ({"names": ["car"], "colors": [ColorRGBA(r=math.nan)]}, "colors[0]"),
        ({"prompts": ["car"]}, "belong to names"),
    ],
)
def test_senseless_classes_are_refused_and_change_nothing(
    street: Any, ask: Callable[..., Any], fields: Any, word: str
) -> None:
    answer = ask(street, SetClasses, "set_classes", **fields)
    assert (answer.success, answer.status) == (False, Response.BAD_REQUEST)
    assert word in answer.message
    assert list(answer.class_names) == list(CLASS_NAMES)


def test_the_most_classes_are_taken(street: Any, ask: Callable[..., Any]) -> None:
    names = [f"class {number}" for number in range(250)]
    assert list(ask(street, SetClasses, "set_classes", names=names).class_names) == names
    assert ask(street, SetClasses, "set_classes").success
