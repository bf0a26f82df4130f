import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.transforms import rigid_from_quaternion
from distillnerf_core.perception.boxes import Box, box_or_everything

_QUARTER_TURN = rigid_from_quaternion(np.array([100.0, 0.0, 0.0]), np.array([0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)]))


def _inverse(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.inv(pose).astype(np.float64)


def test_a_box_is_exact_in_its_own_frame() -> None:
    # In the box's frame ego stands at x = 100 m and looks along y: its x is the box's y.
    box = Box((97.0, 1.0, -1.0), (99.0, 5.0, 1.0), _inverse(_QUARTER_TURN))
    points = torch.tensor([[3.0, 2.0, 0.0], [3.0, -2.0, 0.0], [6.0, 2.0, 0.0], [3.0, 2.0, 2.0]])
    assert box.contains(points).tolist() == [True, False, False, False]
    lower, upper = box.bounds_m()
    assert lower == pytest.approx((1.0, 1.0, -1.0))
    assert upper == pytest.approx((5.0, 3.0, 1.0))


def test_far_origins_lose_no_precision() -> None:
    utm = np.eye(4)
    utm[:3, 3] = (4.5e5, 5.5e6, 40.0)
    box = Box((450000.0, 5499999.99, 39.99), (450000.02, 5500000.01, 40.01), _inverse(utm))
    points = torch.tensor([[0.01, 0.0, 0.0], [0.03, 0.0, 0.0], [-0.01, 0.0, 0.0]])
    assert box.contains(points).tolist() == [True, False, False]


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_bounds_contain_everything_in_the_box(quaternion: list[float]) -> None:
    pose = rigid_from_quaternion(np.array([3.0, -2.0, 1.0]), np.array(quaternion))
    box = Box((0.0, 0.0, 0.0), (4.0, 1.0, 2.0), pose)
    points = 12 * torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 6
    lower, upper = (torch.tensor(corner) for corner in box.bounds_m())
    inside = points[box.contains(points)]
    assert bool(((inside >= lower - 1e-4) & (inside <= upper + 1e-4)).all())


def test_equal_corners_mean_everything() -> None:
    assert box_or_everything((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)) is None
    with pytest.raises(QueryError, match="finite"):
        box_or_everything((math.nan, 0.0, 0.0), (1.0, 1.0, 1.0))
    with pytest.raises(QueryError, match="must lie below"):
        box_or_everything((0.0, 0.0, 0.0), (1.0, 0.0, 1.0))
