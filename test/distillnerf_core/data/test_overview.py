"""Pictures for people have the right places and colours."""

import torch

from distillnerf_core.data.overview import bird_eye, color_distance, color_labels, frame_overview
from distillnerf_core.language.classes import CLASS_COLORS, CLASS_NAMES
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep


def test_overview_shows_six_cameras_three_ways_and_the_map() -> None:
    config = SimulationConfig(height=18, width=32, supersampling=1, shadows=False)
    frame = simulate_sweep(sample_scene(4), 0, config)
    assert frame_overview(frame).shape == (36, 3 * 96 + 36, 3)
    front_right = bird_eye(frame)[99, 100]
    assert abs(int(front_right[0]) - CLASS_COLORS[CLASS_NAMES.index("driveable_surface")][0]) < 150


def test_near_is_red_and_far_is_dark() -> None:
    near, far, sky = color_distance(torch.tensor([3.0, 60.0, torch.inf])).tolist()
    assert near[0] > 150 > near[2] and far[2] > far[0] and max(sky) < 80


def test_labels_have_their_colours() -> None:
    colors = color_labels(torch.tensor([4, 255], dtype=torch.uint8))
    assert tuple(colors[0].tolist()) == CLASS_COLORS[4] and colors[1].sum() == 0
