"""/get_voxels: the semantic voxels of a box."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import GetVoxels, QueryText
from geometry_msgs.msg import Point

Response = QueryText.Response
CORNERS = {"box_min": Point(x=2.0, y=-2.9, z=-0.5), "box_max": Point(x=10.0, y=2.9, z=1.9)}


def test_a_box_is_cut_out_of_the_volume(street: Any, ask: Callable[..., Any]) -> None:
    whole = street.node.session.latest.result.occupancy
    answer = ask(street, GetVoxels, "get_voxels", **CORNERS)
    assert (answer.success, answer.message) == (True, "")
    grid = answer.grid
    assert grid.header.frame_id == "base_link"
    origin = np.array([grid.origin.position.x, grid.origin.position.y, grid.origin.position.z])
    first = np.rint((origin - whole.grid.lower_m) / whole.grid.voxel_size_m).astype(int)
    assert list(grid.size) == [20, 14, 6]
    part = tuple(slice(start, start + count) for start, count in zip(first, grid.size, strict=True))
    labels = np.frombuffer(grid.label, np.uint8).reshape(grid.size)
    np.testing.assert_array_equal(labels, whole.labels[part].numpy())
    confidence = np.frombuffer(grid.confidence, np.uint8).reshape(grid.size)
    np.testing.assert_allclose(confidence / 255, whole.confidence[part].numpy(), atol=1 / 255)
    assert grid.class_names[-1] == "free"


def test_no_box_is_the_whole_volume(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(street, GetVoxels, "get_voxels")
    assert list(answer.grid.size) == [200, 200, 16]
    assert len(answer.grid.label) == 640_000


def test_a_box_of_another_frame_gives_its_bounds(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(street, GetVoxels, "get_voxels", frame_id="CAM_FRONT", **CORNERS)
    assert answer.success, answer.message
    pose = street.node.session.base_from("CAM_FRONT", street.node.session.latest.result.stamp_ns)
    lowest = (pose[:3, :3] @ np.array([2.0, -2.9, -0.5]) + pose[:3, 3])[1]
    assert answer.grid.origin.position.y < lowest


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"box_min": Point(x=math.nan)}, Response.BAD_REQUEST, "finite"),
        ({"box_min": Point(x=1.0), "box_max": Point(x=0.0)}, Response.BAD_REQUEST, "must lie below"),
        ({"box_min": Point(x=90.0), "box_max": Point(x=91.0, y=1.0, z=1.0)}, Response.BAD_REQUEST, "reaches from"),
        ({"frame_id": "moon"}, Response.TF_ERROR, "moon"),
    ],
    ids=["nan", "order", "outside", "frame"],
)
def test_senseless_boxes_are_refused(street: Any, ask: Callable[..., Any], fields: Any, status: int, word: str) -> None:
    answer = ask(street, GetVoxels, "get_voxels", **fields)
    assert (answer.success, answer.status) == (False, status)
    assert word in answer.message
