"""Boxes touch their objects from outside."""

import math

import pytest
import torch

from distillnerf_core.language.classes import OBJECT_CLASSES
from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.object_boxes import bound_objects
from distillnerf_core.simulation.primitives import Primitives, Shape
from distillnerf_core.simulation.scene import sample_scene

GREY = Look((0.5, 0.5, 0.5))


def test_a_turned_box_is_its_own_bound() -> None:
    street = StreetBuilder()
    street.object("car", Pose(5.0, -2.0, 0.1, 0.7, 3.0)).box((0.5, 0, 1.0), (4.0, 2.0, 1.5), GREY)
    boxes = bound_objects(street.build(), OBJECT_CLASSES)
    assert boxes.instance.tolist() == [1]
    torch.testing.assert_close(boxes.size_lwh_m[0].float(), torch.tensor([4.0, 2.0, 1.5]))
    middle = torch.tensor([5.0 + 0.5 * math.cos(0.7), -2.0 + 0.5 * math.sin(0.7), 1.1])
    torch.testing.assert_close(boxes.box_to_world[0, :3, 3].float(), middle)
    torch.testing.assert_close(boxes.box_to_world[0, :2, 0].float(), torch.tensor([math.cos(0.7), math.sin(0.7)]))
    assert math.isclose(float(boxes.velocity_m_s[0].norm()), 3.0, rel_tol=1e-6)


def test_round_bodies_are_bound_tightly() -> None:
    street = StreetBuilder()
    thing = street.object("bicycle", Pose(0.0, 0.0, 0.0, math.pi / 2))
    thing.wheel((1.0, 0, 0.3), 0.3, 0.1, GREY)
    thing.ellipsoid((0, 0, 1.0), (0.4, 1.0, 0.6), GREY)
    boxes = bound_objects(street.build(), OBJECT_CLASSES)
    torch.testing.assert_close(boxes.size_lwh_m[0].float(), torch.tensor([1.5, 1.0, 1.3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", [0, 7])
def test_boxes_of_a_street_hold_all_surface_points_and_touch_them(seed: int) -> None:
    primitives = sample_scene(seed).primitives
    boxes = bound_objects(primitives, OBJECT_CLASSES)
    for number in range(len(boxes.instance)):
        parts = primitives.select(primitives.instance == boxes.instance[number])
        points = torch.cat([_surface_points(parts, part) for part in range(len(parts))])
        local = (points - boxes.box_to_world[number, :3, 3]) @ boxes.box_to_world[number, :3, :3]
        reach = local.abs().amax(dim=0) / (boxes.size_lwh_m[number] / 2)
        assert (reach < 1 + 1e-4).all() and (reach > 0.97).all(), (number, reach)


def _surface_points(parts: Primitives, part: int) -> torch.Tensor:
    """Samples the surface of one solid densely, in the world."""
    angle = torch.linspace(0, 2 * math.pi, 65, dtype=torch.float64)
    level = torch.linspace(-1, 1, 17, dtype=torch.float64)
    a, z = (grid.flatten() for grid in torch.meshgrid(angle, level, indexing="ij"))
    if parts.shape[part] == Shape.BOX:
        ends = torch.tensor([-1.0, 1.0], dtype=torch.float64)
        unit = torch.cartesian_prod(ends, ends, ends)
    elif parts.shape[part] == Shape.ELLIPSOID:
        across = (1 - z * z).sqrt()
        unit = torch.stack((across * a.cos(), across * a.sin(), z), dim=1)
    else:
        across = 1 + (float(parts.taper[part]) - 1) * (z + 1) / 2
        unit = torch.stack((across * a.cos(), across * a.sin(), z), dim=1)
    local = unit * parts.half_size_m[part].double()
    return local @ parts.rotation[part].double().T + parts.center_m[part].double()
