"""A bent street is the straight plan, laid along an arc."""

import math
from itertools import pairwise

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from distillnerf_core.simulation.bend import Bend, sample_bend
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.course import Course
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.style import StreetStyle

BENDING = StreetStyle(bending=1.0, driving=1.0, slowest_m_s=6.0, fastest_m_s=14.0, seconds=6.0)

bends = st.builds(
    Bend,
    st.floats(-40, 60),
    st.floats(60, 250),
    st.floats(0.1, math.pi / 2).flatmap(lambda size: st.sampled_from((size, -size))),
)


@hypothesis.given(bends, st.floats(-200, 300), st.floats(-50, 50))
def test_straightening_undoes_the_bend(bend: Bend, x: float, y: float) -> None:
    place = bend.place(x, y)
    back = bend.straighten(torch.tensor([place.x], dtype=torch.float64), torch.tensor([place.y], dtype=torch.float64))
    assert (float(back[0]), float(back[1])) == pytest.approx((x, y), abs=1e-7)


@hypothesis.given(bends, st.floats(-200, 300))
def test_the_middle_line_is_followed_at_the_speed_of_x(bend: Bend, x: float) -> None:
    here, step = bend.place(x, 0.0), 1e-3
    ahead, left = bend.place(x + step, 0.0), bend.place(x, 1.0)
    way = np.array([ahead.x - here.x, ahead.y - here.y])
    assert np.linalg.norm(way) == pytest.approx(step, rel=1e-4)
    np.testing.assert_allclose(way / step, (math.cos(here.heading), math.sin(here.heading)), atol=1e-4)
    np.testing.assert_allclose(
        (left.x - here.x, left.y - here.y), (-math.sin(here.heading), math.cos(here.heading)), atol=1e-9
    )


def test_a_quarter_circle() -> None:
    bend = Bend(10.0, 100.0, math.pi / 2)
    end = bend.place(bend.end_m, 0.0)
    assert (end.x, end.y, end.heading) == pytest.approx((110.0, 100.0, math.pi / 2))
    inner = bend.place(bend.start_m + 100.0 * math.pi / 4, 20.0)
    assert math.hypot(inner.x - 10.0, inner.y - 100.0) == pytest.approx(80.0)
    assert bend.place(bend.end_m + 5.0, 2.0).x == pytest.approx(108.0)


@hypothesis.given(bends, st.floats(-330, 100), st.floats(1, 400))
def test_pieces_cover_the_span_and_are_short_in_the_arc(bend: Bend, low: float, length: float) -> None:
    pieces = list(bend.pieces(low, low + length))
    assert pieces[0][0] == low
    assert pieces[-1][1] == pytest.approx(low + length)
    assert all(one[1] == two[0] for one, two in pairwise(pieces))
    assert all(high - low < 3.001 for low, high in pieces if bend.bends(low + 1e-6, high - 1e-6))


@pytest.fixture(scope="module", params=[3, 7, 11])
def scene(request: pytest.FixtureRequest) -> StreetScene:
    return sample_scene(request.param, BENDING)


def ground_label(scene: StreetScene, x: float, y: float) -> set[int]:
    """Labels of the flat solids above a point of the plan."""
    assert scene.path.bend is not None
    place = scene.path.bend.place(x, y)
    solids = scene.primitives
    flat = solids.half_size_m[:, 2] < 0.14
    local = torch.einsum("nij,ni->nj", solids.rotation, torch.tensor([place.x, place.y, 0.1]) - solids.center_m)
    inside = flat & (local[:, :2].abs() <= solids.half_size_m[:, :2]).all(dim=1) & (solids.half_size_m[:, 0] > 0.9)
    return set(solids.label[inside & (solids.label >= 12) & (solids.label <= 14)].tolist())


def test_the_road_is_free_and_the_ground_beside_it_has_no_gaps(scene: StreetScene) -> None:
    assert scene.path.bend is not None
    layout, bend = scene.layout, scene.path.bend
    for x in np.linspace(bend.start_m - 10.0, bend.end_m + 10.0, 61).tolist():
        for side in (-1.0, 1.0):
            lanes = (layout.median / 2 + 0.15, layout.road_half - 0.15)
            assert not any(ground_label(scene, x, side * y) for y in lanes), (x, side)
            beside = (layout.road_half + 0.15, layout.road_half + layout.sidewalk + 0.3, 40.0)
            assert all(ground_label(scene, x, side * y) for y in beside), (x, side)


def test_the_vehicle_drives_along_its_lane_through_the_arc(scene: StreetScene) -> None:
    path = scene.path
    assert path.bend is not None
    for seconds in np.linspace(0.0, 6.0, 13).tolist():
        pose = path.pose(seconds)
        x, y = path.bend.straighten(pose[:1, 3], pose[1:2, 3])
        assert float(x) == pytest.approx(path.speed_m_s * seconds, abs=0.05)
        assert float(y) == pytest.approx(path.y, abs=0.21)
        way = (path.pose(seconds + 1e-4)[:2, 3] - path.pose(seconds - 1e-4)[:2, 3]) / 2e-4
        assert float(way @ pose[:2, 0]) == pytest.approx(path.speed(seconds), rel=0.01)
        assert abs(float(way @ pose[:2, 1])) < 0.02 * path.speed_m_s


def test_what_moves_keeps_out_of_the_arc_while_the_drive_lasts(scene: StreetScene) -> None:
    bend, solids = scene.path.bend, scene.primitives
    assert bend is not None
    moving = solids.velocity_m_s.norm(dim=1) > 0
    assert moving.any()
    for seconds in (0.0, 3.0, 6.0):
        now = solids.at_time(seconds).select(moving)
        x, _ = bend.straighten(now.center_m[:, 0], now.center_m[:, 1])
        heading = torch.tensor([bend.place(float(one), 0.0).heading for one in x])
        along = now.velocity_m_s[:, 0] * heading.cos() + now.velocity_m_s[:, 1] * heading.sin()
        lengthwise = along.abs() > 0.3 * now.velocity_m_s.norm(dim=1)
        margin = 10.0  # parts of a vehicle reach beyond its middle
        assert not (lengthwise & (x > bend.start_m + margin) & (x < bend.end_m - margin)).any()
        straight = lengthwise & ((x < bend.start_m) | (x > bend.end_m))
        torch.testing.assert_close(along[straight].abs(), now.velocity_m_s[straight].norm(dim=1), rtol=1e-3, atol=0.05)


def test_only_what_moves_along_the_arc_is_left_out() -> None:
    bend, look = Bend(20.0, 100.0, 0.5), Look((0.5, 0.5, 0.5))
    poses = {
        "parked": Pose(40.0, 3.0),
        "drives into it": Pose(-10.0, 3.0, speed_m_s=8.0),
        "drives before it": Pose(-40.0, 3.0, speed_m_s=8.0),
        "crosses in it": Pose(40.0, 3.0, yaw=math.pi / 2, speed_m_s=1.5),
        "stops before it": Pose(-10.0, 3.0, speed_m_s=8.0, moving_s=(-1.0, 2.0)),
    }
    built = []
    for name, pose in poses.items():
        street = StreetBuilder(bend, seconds=5.0)
        street.object("car", pose).box((0, 0, 1), (4, 2, 2), look)
        built += [name] if len(street.build()) else []
    assert built == ["parked", "drives before it", "crosses in it", "stops before it"]


def test_bends_are_drawn_as_often_as_asked_and_change_nothing_else() -> None:
    style = StreetStyle(bending=0.5, crossing=0.0)
    drawn = [sample_scene(seed, style) for seed in range(12)]
    assert 2 <= sum(scene.path.bend is not None for scene in drawn) <= 10
    for seed, scene in enumerate(drawn):
        straight = sample_scene(seed, StreetStyle(crossing=0.0))
        if scene.path.bend is None:
            assert torch.equal(scene.primitives.center_m, straight.primitives.center_m)
        else:
            assert scene.layout == straight.layout
            assert scene.light.sun == straight.light.sun


def test_a_street_that_the_vehicle_turns_out_of_does_not_bend() -> None:
    scene = sample_scene(4, BENDING.model_copy(update={"manoeuvre": "turn"}))
    assert scene.path.bend is None
    assert scene.layout.crossing_x is not None


def test_manoeuvres_are_laid_along_the_bend() -> None:
    course = Course(((5.0, 0.0), (15.0, 0.01), (35.0, -0.01), (45.0, 0.0)))
    bend = Bend(10.0, 120.0, -0.6)
    path = EgoPath(y=-2.0, speed_m_s=10.0, sway_m=0.0, phase=0.0, course=course, bend=bend)
    for seconds in (0.5, 2.0, 4.0):
        pose, plan = path.pose(seconds), course.place(10.0 * seconds)
        x, y = bend.straighten(pose[:1, 3], pose[1:2, 3])
        assert (float(x), float(y)) == pytest.approx((plan.x, plan.y - 2.0), abs=1e-6)


@hypothesis.given(st.integers(0, 10_000))
def test_drawn_bends_can_be_driven(seed: int) -> None:
    bend = sample_bend(np.random.default_rng(seed))
    assert 15.0**2 / bend.radius_m <= 2.5
    assert 0.3 < abs(bend.angle) < 1.1
    assert bend.end_m - bend.start_m <= 151.0
