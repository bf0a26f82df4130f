"""A wet road mirrors what stands around it, and changes no other pixel."""

import dataclasses

import torch
from simulated_street import street_of_boxes

from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.simulator import SimulationConfig, render_camera
from distillnerf_core.simulation.wet_road import wet_color

SIZE = SimulationConfig(height=90, width=160, supersampling=1, shadows=False)


def red_wall(wetness: float) -> StreetScene:
    """A red wall with its face at x = 20, from y = -2 to 2 and 4 m high."""
    street = StreetBuilder()
    street.object("manmade", Pose(21.0, 0.0)).box((0, 0, 2.0), (2.0, 4.0, 4.0), Look((0.9, 0.05, 0.05)))
    return dataclasses.replace(street_of_boxes(street), wetness=wetness)


def test_only_road_changes() -> None:
    dry, truth = render_camera(red_wall(0.0), 1, 0, SIZE)
    wet, same = render_camera(red_wall(1.0), 1, 0, SIZE)
    road = truth.labels == 11
    assert torch.equal(truth.distance_m, same.distance_m) and torch.equal(dry[:, ~road], wet[:, ~road])
    assert (dry - wet)[:, road].abs().amax(dim=0).min() > 1e-4


def test_the_mirror_image_is_where_optics_put_it() -> None:
    """The foot of the wall is at x = 20; the road before it shows red where the mirrored ray meets the wall."""
    wet, truth = render_camera(red_wall(1.0), 1, 0, SIZE)
    dry, _ = render_camera(red_wall(0.0), 1, 0, SIZE)
    redder = (wet[0] - wet[2]) - (dry[0] - dry[2])
    height, eye = 1.511, 1.701
    middle = 82
    road_x = [(row, (truth.distance_m[row, middle] ** 2 - height**2).clamp(min=0).sqrt() + eye) for row in range(90)]
    on_road = [(row, float(x)) for row, x in road_x if truth.labels[row, middle] == 11 and x < 20.0]
    assert len(on_road) > 15
    for row, x in on_road:
        rise = height * (20.0 - x) / (x - eye)
        if rise < 3.7:
            assert redder[row, middle] > 0.004, (row, x)
        if rise > 4.3:
            assert redder[row, middle].abs() < 0.03 and redder[row, middle] < 0.004, (row, x)


def test_flat_angles_mirror_most_and_no_water_nothing() -> None:
    dry, mirrored = torch.full((3, 3), 0.3), torch.full((3, 3), 1.0)
    points, slope = torch.zeros(3, 3), torch.tensor([0.0, 0.3, 1.0])
    torch.testing.assert_close(wet_color(dry, mirrored, points, slope, 0.0), dry)
    wet = wet_color(dry, mirrored, points, slope, 1.0)[:, 0]
    assert wet[0] > wet[1] > wet[2] and wet[2] < 0.3
