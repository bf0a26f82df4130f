"""Those who cross the vehicle's street come from hiding, keep to their side, and touch nobody."""

import functools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from simulated_street import nearest_surface, touches, vehicle_body

from distillnerf_core.language.classes import CLASS_NAMES, OBJECT_CLASSES
from distillnerf_core.simulation.layout import sample_layout
from distillnerf_core.simulation.object_boxes import bound_objects
from distillnerf_core.simulation.primitives import Primitives
from distillnerf_core.simulation.rig import nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.style import StreetStyle

SECONDS = 8.0
CROSSED = StreetStyle(crossing=1, cross_traffic=1, slowest_m_s=5, driving=1, seconds=SECONDS)
HIDING = StreetStyle(occluded=4, slowest_m_s=4, fastest_m_s=8, driving=1, seconds=SECONDS)
SEEDS = (4, 7)


@functools.lru_cache
def street(seed: int, style: StreetStyle) -> StreetScene:
    return sample_scene(seed, style)


def crossing_vehicles(scene: StreetScene) -> Primitives:
    solids = scene.primitives
    return solids.select((solids.velocity_m_s[:, 1].abs() > 3.0) & (solids.label != CLASS_NAMES.index("pedestrian")))


@functools.lru_cache
def outlines(scene_key: tuple[int, StreetStyle], seconds: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns numbers of road users and their rectangles (least x, y; greatest x, y) along the axes of the world."""
    boxes = bound_objects(street(*scene_key).primitives.at_time(seconds), OBJECT_CLASSES)
    turned = boxes.box_to_world[:, :2, :2].abs() @ boxes.size_lwh_m[:, :2, None].double() / 2
    middle, half = boxes.box_to_world[:, :2, 3], turned[..., 0]
    return boxes.instance.numpy(), torch.cat((middle - half, middle + half), dim=1).numpy()


@pytest.mark.parametrize("seed", SEEDS)
def test_cross_traffic_passes_during_the_drive_on_its_own_side(seed: int) -> None:
    scene = street(seed, CROSSED)
    vehicles, layout = crossing_vehicles(scene), scene.layout
    assert layout.crossing_x is not None and len(vehicles) > 20
    heading = vehicles.velocity_m_s[:, 1].sign()
    right = (vehicles.center_m[:, 0] - layout.crossing_x) * heading
    assert (right * -layout.side > 0).all() and right.abs().max() < layout.crossing_half
    start, end = (vehicles.at_time(seconds).center_m[:, 1].sign() for seconds in (0.0, SECONDS))
    assert len(vehicles.instance[start != end].unique()) >= 3


@pytest.mark.parametrize(("seed", "style"), [(seed, style) for seed in SEEDS for style in (CROSSED, HIDING)])
def test_those_who_cross_touch_nobody(seed: int, style: StreetStyle) -> None:
    scene = street(seed, style)
    crossing = crossing_vehicles(scene) if style == CROSSED else people_stepping_out(scene)
    numbers = set(crossing.instance.tolist())
    body = vehicle_body()
    for seconds in np.arange(0.0, SECONDS, 0.4).tolist():
        assert not touches(scene, body, seconds), seconds
        instance, outline = outlines((seed, style), seconds)
        moving = np.isin(instance, list(numbers))
        own, others = outline[moving][:, None], outline[None]
        apart = (own[..., :2] > others[..., 2:]).any(axis=2) | (own[..., 2:] < others[..., :2]).any(axis=2)
        apart |= instance[moving][:, None] == instance[None]
        assert apart.all(), (seconds, instance[moving][~apart.all(axis=1)])


def people_stepping_out(scene: StreetScene) -> Primitives:
    solids = scene.primitives
    return solids.select((solids.label == CLASS_NAMES.index("pedestrian")) & solids.moving_s.isfinite().all(dim=1))


def sees(scene: StreetScene, instance: int, seconds: float) -> bool:
    """Tells whether the front camera sees the middle of any part of a person."""
    solids = scene.primitives.at_time(seconds)
    parts = solids.center_m[solids.instance == instance]
    front = nuscenes_rig().camera_to_ego[nuscenes_rig().names.index("CAM_FRONT")].double()
    eye = (scene.path.pose(seconds) @ front)[:3, 3].float()
    rays = parts - eye
    _, _, met = nearest_surface(scene, seconds, eye, rays / rays.norm(dim=1, keepdim=True))
    return bool((met == instance).any())


def test_people_come_out_from_hiding_before_the_vehicle() -> None:
    hidden = seen = 0
    for seed in SEEDS:
        scene = street(seed, HIDING)
        people = people_stepping_out(scene)
        for instance in people.instance.unique().tolist():
            first, last = people.moving_s[people.instance == instance][0].tolist()
            assert 0.0 <= first < last and first < SECONDS
            x = float(people.center_m[people.instance == instance][:, 0].mean())
            assert x > float(scene.path.pose(first)[0, 3]) + 5.0
            hidden += not sees(scene, instance, first)
            seen += any(sees(scene, instance, time) for time in np.linspace(first, min(last, SECONDS), 8).tolist())
    assert hidden >= 5 and seen >= 0.6 * hidden
    assert hidden == sum(len(people_stepping_out(street(seed, HIDING)).instance.unique()) for seed in SEEDS)


def test_people_walk_no_farther_than_the_other_kerb() -> None:
    for seed in SEEDS:
        scene = street(seed, HIDING)
        for seconds in (0.0, 60.0):
            places = people_stepping_out(scene).at_time(seconds).center_m[:, 1].abs()
            assert places.max() < scene.layout.road_half and scene.layout.parking > 0


def test_the_same_seed_gives_the_same_encounters() -> None:
    style = CROSSED.model_copy(update={"occluded": 3, "manoeuvre": "turn"})
    first, second = sample_scene(5, style), sample_scene(5, style)
    assert first.path == second.path and torch.equal(first.primitives.center_m, second.primitives.center_m)
    assert math.isclose(abs(float(first.path.pose(60.0)[0, 0])), 0.0, abs_tol=1e-9)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.5, 20), (1.0, 40)])
def test_as_many_streets_are_crossed_as_asked(share: float, expected: int) -> None:
    crossed = sum(sample_layout(np.random.default_rng(seed), share).crossing_x is not None for seed in range(40))
    assert abs(crossed - expected) <= (8 if 0 < share < 1 else 0)
