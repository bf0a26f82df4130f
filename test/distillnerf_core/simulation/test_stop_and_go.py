"""Objects that start and stop are where they are, for cameras, LiDAR, flow and tracks alike."""

import dataclasses

import numpy as np
import pytest
import torch
from simulated_street import street_of_boxes

from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.lidar_sweep import sweep_lidar
from distillnerf_core.simulation.optical_flow import optical_flow
from distillnerf_core.simulation.other_views import simulate_others
from distillnerf_core.simulation.primitives import travelled_s
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.simulator import SimulationConfig

GREY = Look((0.5, 0.5, 0.5))
START_S, STOP_S, SPEED = 1.0, 2.5, 4.0
SIZE = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)


def wall_that_moves() -> StreetScene:
    """A wall across the street with its face at x = 20, which goes away 6 m between 1 s and 2.5 s."""
    street = StreetBuilder()
    pose = Pose(21.0, 0.0, speed_m_s=SPEED, moving_s=(START_S, STOP_S))
    street.object("truck", pose).box((0, 0, 4.0), (2.0, 60.0, 8.0), GREY)
    return street_of_boxes(street)


def face_x(seconds: float) -> float:
    return float(np.interp(seconds, (START_S, STOP_S), (20.0, 20.0 + SPEED * (STOP_S - START_S))))


@pytest.mark.parametrize(
    ("moving_s", "times", "expected"),
    [
        ((-torch.inf, torch.inf), (-2.0, 0.0, 3.5), (-2.0, 0.0, 3.5)),
        ((1.0, 2.5), (-1.0, 0.0, 1.0, 2.0, 9.0), (0.0, 0.0, 0.0, 1.0, 1.5)),
        ((-1.0, 2.0), (-3.0, -0.5, 0.0, 4.0), (-1.0, -0.5, 0.0, 2.0)),
        ((-5.0, -2.0), (-6.0, -3.0, 0.0), (-3.0, -1.0, 0.0)),
    ],
)
def test_time_travelled_counts_from_zero(
    moving_s: tuple[float, float], times: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    found = travelled_s(torch.tensor(moving_s).expand(len(times), 2), torch.tensor(times))
    assert found.tolist() == list(expected)
    assert [float(travelled_s(torch.tensor(moving_s), time)) for time in times] == list(expected)


def test_a_revolution_sees_it_start() -> None:
    sweep = sweep_lidar(wall_that_moves(), 1_050_000_000, 100_000_000, LidarConfig(azimuth_steps=720))
    face = (sweep.instances == 1) & (sweep.points_m[:, 2] < 7.9)
    seconds = sweep.stamps_ns[face].double().numpy() * 1e-9
    assert seconds.min() < 0.98 and seconds.max() > 1.04
    np.testing.assert_allclose(sweep.points_m[face, 0], [face_x(time) for time in seconds.tolist()], atol=1e-3)


def camera() -> CameraRig:
    """Looks along +x from the origin, 1.5 m high, with its middle at column 32 and row 18."""
    pose = torch.eye(4)
    pose[:3, :3] = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    pose[2, 3] = 1.5
    intrinsics = torch.tensor([[40.0, 0.0, 32.0], [0.0, 40.0, 18.0], [0.0, 0.0, 1.0]])
    return CameraRig(("test",), intrinsics[None], pose[None], 36, 64)


@pytest.mark.parametrize(("start", "end"), [(0.5, 2.0), (2.0, 3.0), (0.2, 0.8), (2.6, 5.0), (3.0, 1.5)])
def test_flow_counts_the_way_in_between(start: float, end: float) -> None:
    flow = optical_flow(wall_that_moves(), camera(), start, camera(), end)
    offset = 52.5 - 32.0
    shrunk = offset * (face_x(start) / face_x(end) - 1.0)
    torch.testing.assert_close(flow.flow_px[14, 52, 0], torch.tensor(shrunk), atol=1e-3, rtol=0)
    assert bool(flow.moving[14, 52]) is (START_S <= start <= STOP_S)


@pytest.mark.parametrize(("start_ns", "counts"), [(300_000_000, True), (700_000_000, False), (2_600_000_000, True)])
def test_views_of_another_time_leave_out_what_moves_meanwhile(start_ns: int, counts: bool) -> None:
    others = simulate_others(wall_that_moves(), start_ns, "next", SIZE)
    front = others.rig.names.index("CAM_FRONT")
    assert bool(others.weight[front, 6, 16]) is counts and bool(others.weight[front, -1, 16])


def test_its_track_knows_when_it_starts_and_stops() -> None:
    config = SimulatedDriveConfig(seconds=4.0, rate_hz=1.5, lidar_rate_hz=0.0, simulation=SIZE)
    drive = SimulatedDrive(config, wall_that_moves())
    (track,) = drive.tracks
    assert {START_NS + 1_000_000_000, START_NS + 2_500_000_000} <= set(track.stamps_ns.tolist())
    for seconds in (0.0, 0.9, 1.1, 1.7, 2.4, 2.6, 3.2):
        pose = track.pose(START_NS + round(seconds * 1e9))
        assert pose is not None and pose[0, 3] == pytest.approx(face_x(seconds) + 1.0, abs=1e-5)


def test_moving_pixels_are_those_of_the_moment() -> None:
    drive = SimulatedDrive(SimulatedDriveConfig(seconds=4.0, simulation=SIZE), wall_that_moves())
    image = next(image for image in drive.images if image.camera == "CAM_FRONT")
    for seconds, moves in ((0.5, False), (1.2, True), (2.4, True), (2.7, False)):
        view = drive.true_view(dataclasses.replace(image, stamp_ns=START_NS + round(seconds * 1e9)))
        assert bool(view.moving[6, 16]) is moves and view.ray_distance_m[6, 16] > 17.0
