"""Flow agrees with the pinhole camera, with moving things and with what hides what."""

import torch
from simulated_street import street_of_boxes

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.optical_flow import optical_flow
from distillnerf_core.simulation.scene import StreetScene

GREY = Look((0.5, 0.5, 0.5))
FOCAL = 40.0


def camera_at(x: float, y: float, z: float = 1.5) -> CameraRig:
    """Looks along +x."""
    pose = torch.eye(4)
    pose[:3, :3] = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    pose[:3, 3] = torch.tensor([x, y, z])
    intrinsics = torch.tensor([[FOCAL, 0.0, 32.0], [0.0, FOCAL, 18.0], [0.0, 0.0, 1.0]])
    return CameraRig(("test",), intrinsics[None], pose[None], 36, 64)


def wall_and_car(speed: float = 0.0, yaw: float = 0.0) -> StreetScene:
    """A wall whose face is at x = 20, and before it a car's back at x = 10, 2 m wide and high."""
    street = StreetBuilder()
    street.object("manmade", Pose(21.0, 0.0)).box((0, 0, 10.0), (2.0, 200.0, 20.0), GREY)
    street.object("car", Pose(10.0, 0.0, yaw=yaw, speed_m_s=speed)).box((1.0, 0, 1.0), (2.0, 2.0, 2.0), GREY)
    return street_of_boxes(street)


def test_a_step_aside_shifts_pixels_by_the_disparity() -> None:
    flow = optical_flow(wall_and_car(), camera_at(0, 0), 0.0, camera_at(0, 0.5), 0.0)
    wall, car = flow.flow_px[4, 60], flow.flow_px[18, 32]
    torch.testing.assert_close(wall, torch.tensor([FOCAL * 0.5 / 20.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(car, torch.tensor([FOCAL * 0.5 / 10.0, 0.0]), atol=1e-4, rtol=0)
    assert not flow.moving.any()


def test_a_moving_object_takes_its_pixels_along() -> None:
    """A car turned to the left moves 3 m to the left in two seconds; the camera stands."""
    flow = optical_flow(wall_and_car(speed=1.5, yaw=torch.pi / 2), camera_at(0, 0), 1.0, camera_at(0, 0), 3.0)
    distance = 9.0
    row, column = 18, 32 + round(-FOCAL * 2.5 / distance)
    assert flow.moving[row, column]
    torch.testing.assert_close(
        flow.flow_px[row, column], torch.tensor([-FOCAL * 3.0 / distance, 0.0]), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(flow.flow_px[~flow.moving], torch.zeros(36 * 64, 2)[~flow.moving.flatten()])


def test_what_something_else_covers_is_not_visible() -> None:
    """After a step of 1 m to the left the car covers another part of the wall."""
    flow = optical_flow(wall_and_car(), camera_at(0, 0), 0.0, camera_at(0, 1.0), 0.0)
    columns = torch.arange(64) + 0.5
    target = columns + FOCAL / 20.0
    car = (columns - 32.0).abs() < FOCAL / 10.0
    covered = (target - 32.0 > 0.0) & (target - 32.0 < 2 * FOCAL / 10.0) & ~car
    expected = (target < 64) & ~covered
    torch.testing.assert_close(flow.visible[17], torch.where(car, True, expected))
    assert covered.any()


def test_points_behind_the_other_camera_have_no_flow() -> None:
    flow = optical_flow(wall_and_car(), camera_at(0, 0), 0.0, camera_at(15.0, 0), 0.0)
    assert flow.flow_px[18, 32].isnan().all() and not flow.visible[18, 32]
    assert flow.flow_px[4, 60].isfinite().all() and not flow.visible[4, 60]


def test_there_and_back_is_nowhere() -> None:
    """Following the centre of a visible pixel's target back, with a camera shifted to have it at a centre."""
    scene, here, there = wall_and_car(speed=1.0), camera_at(0, 0), camera_at(0.5, 0.7, 1.2)
    flow = optical_flow(scene, here, 0.0, there, 1.0)
    for row, column in ((18, 32), (4, 50), (30, 10)):
        assert flow.visible[row, column]
        shift = (torch.tensor([column, row]) + 0.5 + flow.flow_px[row, column]) % 1.0 - 0.5
        moved = CameraRig(there.names, there.intrinsics.clone(), there.camera_to_ego, 36, 64)
        moved.intrinsics[0, :2, 2] -= shift
        at = (torch.tensor([column, row]) + flow.flow_px[row, column] - shift).round().long()
        back = optical_flow(scene, moved, 1.0, here, 0.0).flow_px[at[1], at[0]]
        torch.testing.assert_close(back, -(flow.flow_px[row, column] - shift), atol=2e-3, rtol=0)
