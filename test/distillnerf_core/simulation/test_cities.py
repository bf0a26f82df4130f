"""Parts of a city differ in their buildings, plants and vehicles."""

import functools

import numpy as np
import pytest
import torch
from simulated_street import nearest_surface, street_of_boxes, touches, vehicle_body

from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.builder import Pose, StreetBuilder
from distillnerf_core.simulation.buildings import add_building
from distillnerf_core.simulation.cities import CITIES, City
from distillnerf_core.simulation.fleet import draw_vehicle
from distillnerf_core.simulation.layout import in_city, sample_layout
from distillnerf_core.simulation.primitives import Shape
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.simulation.vehicles import add_car, add_trailer, add_truck

SEEDS = (1, 3)


@functools.lru_cache
def street(city: City, seed: int) -> StreetScene:
    style = StreetStyle(city=city, driving=1, manoeuvre="any", cross_traffic=0.5, occluded=1)
    return sample_scene(seed, style)


def buildings(city: City) -> torch.Tensor:
    """Returns sizes [n 3] (m) of the bodies of the buildings: walls that stand on the ground."""
    sizes = []
    for seed in SEEDS:
        solids = street(city, seed).primitives
        wall = (solids.label == CLASS_NAMES.index("manmade")) & (solids.half_size_m > 2.0).all(dim=1)
        wall &= solids.shape == Shape.BOX
        wall &= (solids.center_m[:, 2] - solids.half_size_m[:, 2]).abs() < 0.3
        sizes.append(2 * solids.half_size_m[wall])
    return torch.cat(sizes)


def test_suburbs_are_low_towers_high_and_halls_long() -> None:
    suburb, downtown, industrial = (buildings(city) for city in ("suburb", "downtown", "industrial"))
    assert min(len(suburb), len(downtown), len(industrial)) > 10
    assert suburb[:, 2].max() < 9.0 and suburb[:, 0].max() < 16.0
    assert downtown[:, 2].median() > 25.0 and downtown[:, 2].min() > 14.0
    assert industrial[:, 2].median() < 14.0 and industrial[:, 0].median() > 25.0


def test_plans_fit_the_part_of_the_city() -> None:
    for seed in range(20):
        plan = sample_layout(np.random.default_rng(seed))
        suburb, downtown = in_city(plan, "suburb"), in_city(plan, "downtown")
        assert suburb.lanes == 1 and suburb.median == 0 and suburb.verge >= 4 and suburb.density < plan.density
        assert downtown.lanes >= 2 and downtown.sidewalk >= 3.6 and downtown.urban >= 0.7
        assert in_city(plan, "industrial").lane_width > plan.lane_width and in_city(plan, "mixed") == plan


def test_lorries_drive_where_there_is_industry() -> None:
    drawn = {}
    for city in CITIES:
        rng = np.random.default_rng(0)
        makers = [draw_vehicle(rng, city)[0] for _ in range(400)]
        drawn[city] = {maker: makers.count(maker) / 400 for maker in (add_car, add_truck, add_trailer)}
    lorries = {city: shares[add_truck] + shares[add_trailer] for city, shares in drawn.items()}
    assert lorries["industrial"] > 0.4 and 0.2 > lorries["mixed"] > lorries["suburb"]
    assert drawn["suburb"][add_car] > 0.78


def test_a_pitched_roof_closes_on_its_ridge() -> None:
    """Rays from above meet the roof at 45 degrees on both sides of a ridge half the depth above the eaves."""
    for seed in range(3):
        street_builder = StreetBuilder()
        rng = np.random.default_rng(seed)
        add_building(street_builder, rng, Pose(0.0, 0.0), 12.0, 8.0, 0.0, CITIES["suburb"])
        scene = street_of_boxes(street_builder)
        if not (scene.primitives.rotation[:, 2, 2].abs() < 0.9).any():
            continue
        height = 2 * float(scene.primitives.half_size_m[0, 2])
        across = torch.tensor([1.0, 2.0, 3.0, 5.0, 6.0, 7.0])
        tops = []
        for y in across.tolist():
            origin = torch.tensor([5.0, y, 60.0])
            distance, label, _ = nearest_surface(scene, 0.0, origin, torch.tensor([[0.0, 0.0, -1.0]]))
            assert int(label[0]) == CLASS_NAMES.index("manmade")
            tops.append(60.0 - float(distance[0]))
        expected = height + 4.0 - (across - 4.0).abs()
        assert ((torch.tensor(tops) - expected) > 0.05).all() and ((torch.tensor(tops) - expected) < 0.35).all()
        return
    pytest.fail("no pitched roof was drawn")


@pytest.mark.parametrize("city", ["suburb", "downtown", "industrial"])
def test_nothing_touches_the_vehicle_in_any_city(city: City) -> None:
    body = vehicle_body()
    for seed in SEEDS:
        for seconds in (0.0, 1.0, 2.0, 3.5, 5.0):
            assert not touches(street(city, seed), body, seconds), (seed, seconds)
