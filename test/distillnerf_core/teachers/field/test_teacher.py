"""A field that was fitted to a wall for 300 iterations knows where it is (section 14)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from wall_drive import HEIGHT, INTRINSICS, STRIPES, TOP_M, WALL_M, WIDTH, WallDrive

from distillnerf_core.data.drive import Drive
from distillnerf_core.teachers.field.coverage import images_around, in_sight
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.teacher import FieldTeacher, judge_distance
from distillnerf_core.teachers.field.views import FieldView, render_view
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import Teacher


def ray(teacher: FieldTeacher, origin: tuple[float, float, float], slope: float = 0.0) -> FieldRays:
    """A ray ahead, rising by a slope."""
    direction = torch.tensor([[1.0, 0.0, slope]])
    direction = direction / direction.norm()
    return FieldRays(torch.tensor([origin]), direction, torch.tensor([0.2]), torch.tensor([2]))


@torch.no_grad()
def test_the_wall_is_at_30_m_and_opaque(wall_teacher: FieldTeacher) -> None:
    field = wall_teacher.field
    ahead = field(ray(wall_teacher, (0.0, 4.0, 0.0))).rendered
    assert ahead.distance_m.item() == pytest.approx(WALL_M, abs=0.05)
    assert ahead.opacity.item() > 0.99
    nearer = field(ray(wall_teacher, (1.0, 4.0, 0.0))).rendered
    assert nearer.distance_m.item() == pytest.approx(WALL_M - 1.0, abs=0.05)


def test_distances_are_right_all_over_the_wall(wall_teacher: FieldTeacher, wall: WallDrive) -> None:
    image = wall.images[2]
    camera = PlacedCamera.of(image, HEIGHT, WIDTH)
    view = wall_teacher.original_view(image, HEIGHT, WIDTH)
    true = np.linalg.norm(wall.hit(camera) - camera.camera_to_world[:3, 3], axis=-1)
    known = ~np.isnan(view.ray_distance_m)
    assert known[12:].mean() > 0.9
    assert np.median(np.abs(view.ray_distance_m - true)[known]) < 0.1
    np.testing.assert_array_equal(view.sky, wall.sky(image))
    np.testing.assert_array_equal(view.pixels, wall.read_image(image))
    assert np.isnan(view.ray_distance_m[view.sky]).all()


@torch.no_grad()
def test_rays_into_the_sky_meet_nothing(wall_teacher: FieldTeacher) -> None:
    for slope in (0.33, 0.4, 0.45):  # the wall ends at 5 m / 30 m
        output = wall_teacher.field(ray(wall_teacher, (0.0, 4.0, 0.0), slope))
        assert output.rendered.opacity.item() < 0.05
        assert output.color is not None
        torch.testing.assert_close(output.color[0], torch.tensor([0.2, 0.4, 0.9]), rtol=0, atol=0.1)


def phase(pixels: NDArray[np.uint8]) -> float:
    """Place of the stripes on the wall in the rows that show it, radians to the right."""
    columns = (np.arange(WIDTH) + 0.5 - INTRINSICS[0, 2]) / INTRINSICS[0, 0] * WALL_M * STRIPES
    waves = np.column_stack((np.sin(columns), np.cos(columns), np.ones(WIDTH)))
    sine, cosine, _ = np.linalg.lstsq(waves, pixels[12:, :, 0].mean(axis=0), rcond=None)[0]
    return float(np.arctan2(-cosine, sine))


def test_a_step_to_the_side_moves_the_wall_by_the_parallax(wall_teacher: FieldTeacher, wall: WallDrive) -> None:
    image = wall.images[2]
    camera = PlacedCamera.of(image, HEIGHT, WIDTH)
    right = wall_teacher.virtual_view(image, (1.0, 0.0, 0.0), HEIGHT, WIDTH)
    known = ~np.isnan(right.ray_distance_m)
    assert known[12:].mean() > 0.7
    points = camera.moved((1.0, 0.0, 0.0)).points(right.ray_distance_m)[known]
    columns, _, _ = camera.project(points)
    moved_px = columns - (np.nonzero(known)[1] + 0.5)
    # What a pixel shows from 1 m farther right, the camera itself sees farther right by f / 30 m.
    assert np.median(moved_px) == pytest.approx(INTRINSICS[0, 0] / WALL_M, abs=0.005)

    # The colours follow, as far as so short a run tells them from the directions that they were seen from.
    here = wall_teacher.rendered(image, camera)
    turned = (phase(here.pixels) - phase(right.pixels) + np.pi) % (2 * np.pi) - np.pi
    assert turned / STRIPES == pytest.approx(1.0, abs=0.5)


def test_views_do_not_depend_on_the_chunks(wall_teacher: FieldTeacher, wall: WallDrive) -> None:
    camera = PlacedCamera(INTRINSICS / np.array([[4.0], [4.0], [1.0]]), wall.images[2].camera_to_world, 6, 10)
    one, all_at_once = (
        render_view(wall_teacher.field, wall_teacher.frame, camera, 0, 2, chunk) for chunk in (1, 16_384)
    )
    for name in ("distance_m", "median_m", "opacity", "spread_m"):
        np.testing.assert_allclose(getattr(one, name), getattr(all_at_once, name), rtol=1e-4, atol=1e-4)
    assert np.abs(one.pixels.astype(int) - all_at_once.pixels).max() <= 1


def test_it_is_a_teacher_with_plain_settings(wall_teacher: FieldTeacher, wall: WallDrive) -> None:
    assert isinstance(wall, Drive)
    assert isinstance(wall_teacher, Teacher)
    assert wall_teacher.name == "field"
    assert wall_teacher.settings["iterations"] == 300
    assert wall_teacher.settings["sky_masks"] is True
    assert "device" not in wall_teacher.settings


def test_flying_pixels_and_haze_are_dropped() -> None:
    values = {
        "distance_m": [10.0, 10.0, 10.0, 10.0],
        "median_m": [10.0, 12.0, 10.0, 10.0],
        "opacity": [1.0, 1.0, 0.8, 0.1],
        "spread_m": [0.0, 0.0, 0.0, 0.0],
        "moving_opacity": [0.0, 0.0, 0.0, 0.0],
    }
    arrays = {name: np.array([row], dtype=np.float32) for name, row in values.items()}
    view = FieldView(pixels=np.zeros((1, 4, 3), dtype=np.uint8), **arrays)
    sky = np.array([[False, False, False, True]])
    distance, confidence = judge_distance(view, sky, 1.0 - view.opacity)
    np.testing.assert_array_equal(distance, [[10.0, np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(confidence, [[1.0, 0.0, 0.0, 0.9]], rtol=1e-6)
    spread = replace(view, spread_m=np.ones_like(view.spread_m))
    assert judge_distance(spread, sky, 1.0 - view.opacity)[1][0, 0] == pytest.approx(np.exp(-1.0))


def test_points_beside_all_images_are_out_of_sight(wall: WallDrive) -> None:
    around = images_around(wall.images, wall.images[5].stamp_ns)
    assert [image.sweep for image in around] == [5, 1]
    points = np.array([[WALL_M, 4.0, 0.0], [WALL_M, 200.0, 0.0], [-WALL_M, 4.0, 0.0], [WALL_M, 0.8, TOP_M]])
    assert in_sight(points, around).tolist() == [True, False, False, True]
