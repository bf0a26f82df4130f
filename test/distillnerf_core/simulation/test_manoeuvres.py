"""The vehicle changes lanes and turns where it may, at its speed, and touches nothing."""

import functools
import math

import numpy as np
import pytest
import torch
from simulated_street import touches, vehicle_body

from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.course import STRAIGHT
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.layout import sample_layout
from distillnerf_core.simulation.manoeuvres import DrivePlan, plan_drive
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.style import Manoeuvre, StreetStyle

SEEDS = (2, 7, 13)
RAISED = torch.tensor([CLASS_NAMES.index(name) for name in ("sidewalk", "terrain", "other_flat")])


@functools.lru_cache
def street(seed: int, manoeuvre: Manoeuvre) -> StreetScene:
    return sample_scene(
        seed, StreetStyle(manoeuvre=manoeuvre, seconds=8.0, slowest_m_s=4.0, fastest_m_s=12.0, driving=1)
    )


@pytest.fixture(scope="module", params=[(seed, kind) for kind in ("lane_change", "turn") for seed in SEEDS], ids=str)
def scene(request: pytest.FixtureRequest) -> StreetScene:
    seed, kind = request.param
    return street(seed, kind)


def test_the_pose_is_continuous_its_speed_constant_and_its_heading_tangent(scene: StreetScene) -> None:
    times = np.arange(-0.5, 8.0, 0.02)
    poses = np.stack([scene.path.pose(float(time)).numpy() for time in times])
    steps = np.diff(poses[:, :2, 3], axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 0.02 * scene.path.speed_m_s, rtol=1e-4)
    heading = np.unwrap(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))
    travelled = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    np.testing.assert_allclose((heading[1:] + heading[:-1]) / 2, travelled, atol=2e-3)
    rates = np.array([scene.path.yaw_rate(float(time)) for time in times])
    np.testing.assert_allclose(np.diff(heading) / 0.02, (rates[1:] + rates[:-1]) / 2, atol=2e-2)
    assert (np.abs(rates) * scene.path.speed_m_s).max() <= 2.6


def test_the_vehicle_touches_nothing_and_stays_on_asphalt(scene: StreetScene) -> None:
    body = vehicle_body()
    wheels = torch.cartesian_prod(
        *(torch.tensor(axis, dtype=torch.float64) for axis in ((0.0, 2.7), (-0.8, 0.8), (0.05,)))
    )
    ground = StreetScene(
        **{**vars(scene), "primitives": scene.primitives.select(torch.isin(scene.primitives.label, RAISED))}
    )
    for seconds in np.arange(0.0, 8.0, 0.4).tolist():
        assert not touches(scene, body, seconds), seconds
        assert not touches(ground, wheels, seconds), seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_a_turn_ends_in_its_lane_of_the_crossing_street(seed: int) -> None:
    scene = street(seed, "turn")
    end = scene.path.pose(30.0)
    assert scene.layout.crossing_x is not None
    heading = math.atan2(end[1, 0], end[0, 0])
    assert abs(abs(heading) - math.pi / 2) < 1e-9
    to_the_right = (float(end[0, 3]) - scene.layout.crossing_x) * math.sin(heading)
    assert to_the_right == pytest.approx(-scene.layout.side * scene.layout.crossing_half / 2)


def plans(manoeuvre: Manoeuvre) -> list[DrivePlan]:
    drawn = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        layout = sample_layout(rng)
        straight = DrivePlan(layout, (0,), EgoPath(layout.side * layout.lane_y(0), 6.0, 0.1, 0.0))
        drawn.append(plan_drive(rng, straight, manoeuvre, 10.0))
    return drawn


@pytest.mark.parametrize("manoeuvre", ["turn", "lane_change"])
def test_either_side_is_turned_or_changed_to(manoeuvre: Manoeuvre) -> None:
    assert {math.copysign(1, plan.path.course.knots[1][1]) for plan in plans(manoeuvre)} == {-1.0, 1.0}


def test_any_draws_all() -> None:
    drawn = plans("any")
    lanes = {len(plan.lanes) for plan in drawn if plan.path.course != STRAIGHT}
    assert lanes == {1, 2} and any(plan.path.course == STRAIGHT and plan.path.sway_m == 0.1 for plan in drawn)


def test_a_change_of_lane_ends_in_a_neighbouring_lane() -> None:
    for seed in SEEDS:
        scene, before = street(seed, "lane_change"), sample_scene(seed).layout.lanes
        start, end = (float(scene.path.pose(seconds)[1, 3]) for seconds in (0.0, 30.0))
        assert abs(end - start) == pytest.approx(scene.layout.lane_width)
        assert abs(end) < scene.layout.road_half - scene.layout.parking and scene.layout.lanes == max(2, before)


def test_a_standing_vehicle_stands_whatever_it_is_asked() -> None:
    scene = sample_scene(3, StreetStyle(manoeuvre="turn", driving=0))
    assert scene.path.course == STRAIGHT and torch.equal(scene.path.pose(3.0), scene.path.pose(0.0))
    assert torch.equal(scene.primitives.center_m, sample_scene(3, StreetStyle(driving=0)).primitives.center_m)
