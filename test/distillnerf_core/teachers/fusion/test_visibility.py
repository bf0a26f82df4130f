"""Hidden points go; the ground and what stands beside an object stay."""

import numpy as np

from distillnerf_core.teachers.fusion.config import VisibilityConfig
from distillnerf_core.teachers.fusion.visibility import hidden_pixels, visible_samples
from distillnerf_core.teachers.placed_camera import Floats, PlacedCamera

FOCAL_PX = 316.0
CAMERA = PlacedCamera(np.array([[FOCAL_PX, 0, 200], [0, FOCAL_PX, 112.5], [0, 0, 1]]), np.eye(4), 225, 400)


def _sparse(depth_m: float, share: float, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    return np.where(generator.random((225, 400)) < share, depth_m, np.inf).astype(np.float32)


def test_a_wall_is_not_seen_through_a_sparse_nearer_one() -> None:
    front, wall = _sparse(4.0, 0.03, 0), _sparse(20.0, 0.3, 1)
    front[:, 200:] = np.inf  # covers the left half
    hidden = hidden_pixels(np.minimum(front, wall), FOCAL_PX, VisibilityConfig())
    behind = np.isfinite(wall) & ~np.isfinite(front)
    assert hidden[20:-20, 20:180][behind[20:-20, 20:180]].mean() > 0.9
    assert not hidden[:, 205:].any()  # what lies beside stays, up to the width of a strip
    assert not hidden[np.isfinite(front)].any()


def test_the_ground_does_not_hide_itself() -> None:
    rows = np.arange(225)[:, None] + 0.5 - 112.5
    depth = np.where(rows > 6, 1.5 * FOCAL_PX / np.maximum(rows, 1e-3), np.inf).astype(np.float32)
    ground = np.broadcast_to(depth, (225, 400)).copy()
    assert ground[np.isfinite(ground)].max() > 60.0
    assert not hidden_pixels(ground, FOCAL_PX, VisibilityConfig()).any()


def test_samples_keep_their_place_within_the_pixel() -> None:
    point = np.array([[1.0, 0.5, 10.0], [1.0, 0.5, -10.0], [500.0, 0.0, 10.0]], dtype=np.float32)
    samples = visible_samples(CAMERA, point, VisibilityConfig())
    np.testing.assert_allclose(samples.column_px, [200 + 31.6], rtol=1e-5)
    np.testing.assert_allclose(samples.row_px, [112.5 + 15.8], rtol=1e-5)
    np.testing.assert_allclose(samples.inverse_depth, [0.1], rtol=1e-6)


def test_the_nearest_point_of_a_pixel_wins() -> None:
    points = np.array([[0.0, 0.0, 30.0], [0.0, 0.0, 10.0], [0.0, 0.0, 10.2]], dtype=np.float32)
    samples = visible_samples(CAMERA, points, VisibilityConfig())
    np.testing.assert_allclose(samples.inverse_depth, [(1 / 10.0 + 1 / 10.2) / 2], rtol=1e-5)
