from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distillnerf_core.teachers.field.scene_box import SceneBox, box_of_cameras, box_of_points

Golden = Callable[[str], dict[str, Tensor]]


def box_of(corners: Tensor) -> SceneBox:
    low_x, low_y, low_z, high_x, high_y, high_z = corners.tolist()
    return SceneBox((low_x, low_y, low_z), (high_x, high_y, high_z))


def test_contraction_and_gate_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("contraction")
    contracted = box_of(values["aabb"]).contract(values["points"])
    expected = torch.where(values["inside"][:, None], values["contracted"], 0.0)
    torch.testing.assert_close(contracted, expected, rtol=1e-6, atol=1e-6)


def test_points_that_round_onto_the_border_become_zero() -> None:
    points = torch.tensor([[1e9, 0.0, 0.0], [0.0, -1e9, 3.0]])
    assert torch.equal(SceneBox((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)).contract(points), torch.zeros(2, 3))


@given(st.floats(1.0, 1e4), st.integers(0, 2), st.sampled_from([-1.0, 1.0]))
def test_along_an_axis_the_contraction_has_a_closed_form(u: float, axis: int, sign: float) -> None:
    box = SceneBox((-2.0, -4.0, -1.0), (2.0, 4.0, 1.0))
    point = torch.zeros(3, dtype=torch.float64)
    point[axis] = sign * u * (2.0, 4.0, 1.0)[axis]
    expected = torch.full((3,), 0.5, dtype=torch.float64)
    expected[axis] += sign * 0.25 * (2.0 - 1.0 / u)
    torch.testing.assert_close(box.contract(point), expected)


def test_the_box_fills_the_middle_half_of_the_cube() -> None:
    box = SceneBox((10.0, -4.0, -1.0), (30.0, 4.0, 7.0))
    corners = torch.tensor([[10.0, -4.0, -1.0], [30.0, 4.0, 7.0], [20.0, 0.0, 3.0]])
    torch.testing.assert_close(box.contract(corners), torch.tensor([[0.25] * 3, [0.75] * 3, [0.5] * 3]))


def test_boxes_of_lidar_and_cameras_match_the_golden_tensors(golden: Golden) -> None:
    values = golden("sampler_aabb")
    points = values["lidar_origins"] + values["lidar_dirs"] * values["lidar_ranges"]
    torch.testing.assert_close(box_of_points(points.numpy()).state(), values["aabb_lidar"], rtol=1e-5, atol=1e-4)
    cameras = box_of_cameras(values["cam_positions"].numpy())
    torch.testing.assert_close(cameras.state(), values["aabb_cam"], rtol=1e-6, atol=1e-5)


def test_a_box_is_enlarged_to_hold_points() -> None:
    box = SceneBox((30.0, -5.0, 0.0), (30.0, 5.0, 20.0)).including(np.array([[0.0, 0.0, 1.5], [2.0, 1.0, 1.5]]))
    assert box == SceneBox((-1.0, -5.0, 0.0), (30.0, 5.0, 20.0))
