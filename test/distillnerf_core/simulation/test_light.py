"""Dusk changes the light and nothing else."""

import math

import pytest
import torch

from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, render_camera
from distillnerf_core.simulation.style import StreetStyle

TINY = SimulationConfig(height=27, width=48, supersampling=1)


@pytest.mark.parametrize("seed", [0, 3, 11])
def test_the_sun_stands_low_in_the_same_direction(seed: int) -> None:
    day, dusk = sample_scene(seed).light, sample_scene(seed, StreetStyle(daytime="dusk")).light
    assert math.isclose(math.hypot(*dusk.sun_direction), 1.0, abs_tol=1e-9)
    assert 0 < dusk.sun_direction[2] < 0.2 < day.sun_direction[2]
    turn = dusk.sun_direction[0] * day.sun_direction[1] - dusk.sun_direction[1] * day.sun_direction[0]
    assert abs(turn) < 1e-9 and dusk.sun[0] > 2 * dusk.sun[2]


def test_the_same_street_is_darker_and_redder_at_dusk() -> None:
    day, truth = render_camera(sample_scene(11), 1, 0, TINY)
    dusk, same = render_camera(sample_scene(11, StreetStyle(daytime="dusk")), 1, 0, TINY)
    assert torch.equal(truth.distance_m, same.distance_m) and torch.equal(truth.instances, same.instances)
    assert 0.2 * day.mean() < dusk.mean() < 0.75 * day.mean()
    assert dusk[0].mean() / dusk[2].mean() > day[0].mean() / day[2].mean()
