"""Streets are reproducible, different, and leave room for the vehicle."""

import math

import pytest
import torch
from simulated_street import touches, vehicle_body

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.style import StreetStyle


def test_the_same_seed_gives_the_same_street() -> None:
    first, second = sample_scene(11), sample_scene(11)
    assert first.layout == second.layout and first.light == second.light and first.path == second.path
    for name in first.primitives.__dataclass_fields__:
        assert torch.equal(getattr(first.primitives, name), getattr(second.primitives, name))


def test_other_seeds_give_other_streets() -> None:
    sizes = {len(sample_scene(seed).primitives) for seed in range(6)}
    assert len(sizes) > 4


def test_streets_show_all_classes() -> None:
    seen = {int(label) for seed in range(20) for label in sample_scene(seed).primitives.label.tolist()}
    road_and_others = {CLASS_NAMES.index("driveable_surface"), CLASS_NAMES.index("others")}
    assert seen == set(range(17)) - road_and_others


def test_rotations_are_rotations_and_sizes_positive() -> None:
    primitives = sample_scene(3).primitives
    identity = primitives.rotation @ primitives.rotation.transpose(1, 2)
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)
    assert (primitives.half_size_m > 0).all() and (primitives.taper >= 0).all()


def test_nothing_touches_the_vehicle() -> None:
    body = vehicle_body()
    for seed in range(12):
        scene = sample_scene(seed)
        for seconds in (0.0, 1.5, 4.0):
            assert not touches(scene, body, seconds), (seed, seconds)


def test_objects_and_vehicle_move_with_time() -> None:
    scene = sample_scene(0)
    moved = scene.primitives.at_time(2.0).center_m - scene.primitives.center_m
    torch.testing.assert_close(moved, 2.0 * scene.primitives.velocity_m_s)
    assert (scene.primitives.velocity_m_s.norm(dim=1) > 0.5).any()
    advance = scene.path.pose(2.0)[0, 3] - scene.path.pose(0.0)[0, 3]
    assert math.isclose(float(advance), 2.0 * scene.path.speed_m_s)


def test_the_heading_follows_the_path() -> None:
    path = next(scene.path for seed in range(20) if abs((scene := sample_scene(seed)).path.sway_m) > 0.1)
    step = 1e-4
    for seconds in (0.0, 0.7, 3.1):
        ahead, here = path.pose(seconds + step), path.pose(seconds)
        heading = torch.atan2(ahead[1, 3] - here[1, 3], ahead[0, 3] - here[0, 3])
        assert abs(float(heading - torch.atan2(here[1, 0], here[0, 0]))) < 1e-3
        turned = torch.atan2(ahead[1, 0], ahead[0, 0]) - torch.atan2(here[1, 0], here[0, 0])
        assert abs(float(turned) / step - path.yaw_rate(seconds)) < 1e-3


@pytest.mark.parametrize(
    ("seed", "solids", "places_m", "colours", "speed_m_s"),
    [
        (0, 2848, 196122.8, 3306.18, 7.5669),
        (7, 992, 78761.5, 1152.37, 5.0057),
        (100000, 2109, 134668.4, 2601.82, 2.6625),
        (100001, 2310, 158730.9, 2787.30, 4.3298),
    ],
)
def test_the_streets_of_the_shipped_figures_stay(
    seed: int, solids: int, places_m: float, colours: float, speed_m_s: float
) -> None:
    """Sums over streets as they were when the shipped figures were measured."""
    scene = sample_scene(seed)
    assert len(scene.primitives) == solids and math.isclose(scene.path.speed_m_s, speed_m_s, abs_tol=1e-4)
    assert math.isclose(float(scene.primitives.center_m.double().abs().sum()), places_m, abs_tol=0.2)
    assert math.isclose(float(scene.primitives.color.double().sum()), colours, abs_tol=0.02)


def test_a_street_is_as_long_as_its_drive() -> None:
    """Things beside the road, the ground and traffic surround the vehicle to the end."""
    style = StreetStyle(seconds=20.0, slowest_m_s=14.0, fastest_m_s=15.0, driving=1.0)
    for seed in range(6):
        scene = sample_scene(seed, style)
        end = float(scene.path.pose(20.0)[0, 3])
        assert 280.0 <= end <= 300.0
        solids = scene.primitives.at_time(20.0)
        ahead = solids.center_m[:, 0] - end
        for name in ("sidewalk", "manmade", "car"):
            chosen = solids.label == CLASS_NAMES.index(name)
            reach = ahead + solids.half_size_m[:, 0]
            assert reach[chosen].max() > 60.0, (seed, name)
        behind = solids.label == CLASS_NAMES.index("car")
        assert ahead[behind].min() < -30.0


def test_nothing_touches_the_vehicle_on_a_long_drive() -> None:
    body = vehicle_body()
    for seed in range(8):
        scene = sample_scene(seed, StreetStyle(seconds=20.0, fastest_m_s=15.0))
        assert not any(touches(scene, body, seconds) for seconds in (0.0, 4.0, 9.0, 13.0, 17.0, 20.0)), seed


def test_speeds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"slowest_m_s 12.0 is above fastest_m_s 10.0"):
        parse_config({"slowest_m_s": 12.0}, StreetStyle)
