"""Pictures for people have the right places and colours."""

import numpy as np
import pytest

from distillnerf_core.data.overview import bird_eye, frame_overview
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.classes import CLASS_COLORS, CLASS_NAMES
from distillnerf_core.perception.pictures.colors import color_depth, color_labels
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep


@pytest.fixture(scope="module")
def frame() -> SupervisedFrame:
    return simulate_sweep(sample_scene(4), 0, SimulationConfig(height=18, width=32, supersampling=1, shadows=False))


def test_overview_shows_six_cameras_three_ways_and_the_map(frame: SupervisedFrame) -> None:
    picture = frame_overview(frame)
    assert picture.shape == (36, 3 * 96 + 36, 3)
    fifth = slice(18, 36), slice(32, 64)
    image, distance, labels = (picture[:, first : first + 96][fifth] for first in (0, 96, 192))
    pixels = (255.0 * frame.frame.images[4].permute(1, 2, 0)).numpy()
    assert np.abs(image - pixels).max() <= 0.51
    np.testing.assert_array_equal(distance, color_depth(frame.ray_distance_m[4].numpy(), 80.0))
    np.testing.assert_array_equal(labels, color_labels(frame.labels[4].numpy()))


def test_the_map_shows_the_road_ahead(frame: SupervisedFrame) -> None:
    front_right = bird_eye(frame)[99, 100]
    assert abs(int(front_right[0]) - CLASS_COLORS[CLASS_NAMES.index("driveable_surface")][0]) < 150
