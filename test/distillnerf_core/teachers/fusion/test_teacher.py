"""The whole teacher on worlds whose truth is known exactly."""

from dataclasses import dataclass

import numpy as np
import pytest
from analytic_drive import AnalyticDrive, Block
from numpy.typing import NDArray

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.teachers.fusion.config import FusionConfig
from distillnerf_core.teachers.fusion.mono_depth import MonoDepth
from distillnerf_core.teachers.fusion.teacher import FusionTeacher
from distillnerf_core.teachers.placed_camera import Floats, PlacedCamera
from distillnerf_core.teachers.protocol import VIRTUAL_OFFSETS_M, Teacher

HEIGHT, WIDTH = 90, 160
WALL = Block((30.0, -100.0, -1.0), (31.0, 100.0, 60.0))
CAR = Block((8.0, -1.0, 0.0), (12.0, 1.0, 1.8), velocity_m_s=(6.0, 0.0, 0.0), track="car")


def _drive(*blocks: Block, speed_m_s: float = 4.0) -> AnalyticDrive:
    return AnalyticDrive(blocks, height=HEIGHT, width=WIDTH, focal_px=120.0, speed_m_s=speed_m_s)


def _truth(drive: AnalyticDrive, sweep: int, offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> FloatArray:
    image = drive.images[sweep]
    camera = PlacedCamera.of(image, HEIGHT, WIDTH).moved(offset_m)
    return drive.render(camera.camera_to_world, camera.intrinsics, HEIGHT, WIDTH, image.stamp_ns)[1]


def _relative_error(distance_m: NDArray[np.float32], truth_m: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        error = np.abs(distance_m - truth_m) / truth_m
    return np.asarray(error[~np.isnan(error)])


def test_is_a_teacher() -> None:
    assert isinstance(FusionTeacher(_drive(WALL), FusionConfig()), Teacher)


@pytest.mark.parametrize("speed_m_s", [0.0, 4.0])
def test_a_wall_at_30_m_comes_out_at_30_m(speed_m_s: float) -> None:
    drive = _drive(WALL, speed_m_s=speed_m_s)
    view = FusionTeacher(drive, FusionConfig()).original_view(drive.images[1], HEIGHT, WIDTH)
    camera = PlacedCamera.of(drive.images[1], HEIGHT, WIDTH)
    points = camera.points(view.ray_distance_m)
    on_wall = points[..., 2] > 0.5
    assert on_wall.mean() > 0.4
    np.testing.assert_allclose(np.median(points[on_wall, 0]), 30.0, atol=0.01)
    np.testing.assert_allclose(points[on_wall, 0], 30.0, atol=0.3)
    assert _relative_error(view.ray_distance_m, _truth(drive, 1)).mean() < 0.01
    assert not view.sky.any()
    assert view.seen.mean() > 0.97


def test_a_moving_box_is_where_it_is_at_the_time_of_the_image() -> None:
    drive = _drive(WALL, CAR)
    teacher = FusionTeacher(drive, FusionConfig())
    for sweep in range(3):
        view, truth = teacher.original_view(drive.images[sweep], HEIGHT, WIDTH), _truth(drive, sweep)
        rear = truth[50:60, 75:85]  # looks at the middle of its rear
        assert rear.max() - rear.min() < 0.5
        np.testing.assert_allclose(view.ray_distance_m[50:60, 75:85], rear, rtol=0.02)


def test_sky_is_told_from_a_wall_above_the_uppermost_beam() -> None:
    drive = AnalyticDrive(
        (Block((20.0, -100.0, -1.0), (21.0, -2.0, 60.0)),), height=HEIGHT, width=WIDTH, focal_px=120.0, speed_m_s=4.0
    )
    view, truth = FusionTeacher(drive, FusionConfig()).original_view(drive.images[1], HEIGHT, WIDTH), _truth(drive, 1)
    sky = ~np.isfinite(truth)
    assert 0.2 < sky.mean() < 0.4
    assert view.sky[sky].mean() > 0.9
    assert view.sky[~sky].mean() < 0.01
    assert np.isnan(view.ray_distance_m[view.sky]).all()
    steep = ~sky & (np.arange(HEIGHT)[:, None] < 10)  # no beam rises so steeply
    assert np.median(_relative_error(np.where(steep, view.ray_distance_m, np.nan), truth)) < 0.01


def test_confidence_falls_away_from_the_points() -> None:
    drive = _drive(WALL, speed_m_s=0.0)
    view = FusionTeacher(drive, FusionConfig()).original_view(drive.images[1], HEIGHT, WIDTH)
    rows = np.nanmean(np.where(view.seen, view.confidence, np.nan), axis=1)
    assert rows[45:80].min() > 0.5
    assert rows[1] < 0.5 * rows[40:50].mean()  # above the uppermost beam
    assert (view.confidence[~view.seen] == 0).all()


@pytest.mark.parametrize("name", ["left", "right", "up"])
def test_virtual_views_show_what_is_there(name: str) -> None:
    drive = _drive(WALL, CAR)
    view = FusionTeacher(drive, FusionConfig()).virtual_view(drive.images[1], VIRTUAL_OFFSETS_M[name], HEIGHT, WIDTH)
    image, camera = drive.images[1], PlacedCamera.of(drive.images[1], HEIGHT, WIDTH).moved(VIRTUAL_OFFSETS_M[name])
    pixels, truth = drive.render(camera.camera_to_world, camera.intrinsics, HEIGHT, WIDTH, image.stamp_ns)
    assert view.seen.mean() > 0.75
    assert _relative_error(view.ray_distance_m, truth).mean() < 0.02
    difference = np.abs(view.pixels.astype(float) - pixels).mean(axis=2)
    assert np.median(difference[view.seen]) < 3.0
    assert not (view.seen & np.isnan(view.ray_distance_m) & ~view.sky).any()


def test_what_lies_behind_an_object_is_a_hole_from_beside() -> None:
    """No image shows the wall behind the box, so that no loss may count there."""
    box = Block((6.0, -1.0, -1.0), (7.0, 1.0, 4.0))
    drive = AnalyticDrive((WALL, box), height=HEIGHT, width=WIDTH, focal_px=120.0, lidar_rate_hz=10.0)
    view = FusionTeacher(drive, FusionConfig()).virtual_view(drive.images[1], (1.0, 0.0, 0.0), HEIGHT, WIDTH)
    row = view.seen[30]
    assert not row[85:95].any()
    assert row[:40].all()


def test_what_the_lidar_alone_has_seen_hides_the_rest() -> None:
    """A post beside the image stands in the virtual one; without its colour there must be a hole, not the wall."""
    post = Block((1.5, -2.0, -1.0), (2.2, -1.2, 4.0))
    drive = AnalyticDrive((WALL, post), height=HEIGHT, width=WIDTH, focal_px=120.0)
    assert _truth(drive, 1)[40:50].min() > 5.0
    truth = _truth(drive, 1, (1.0, 0.0, 0.0))
    view = FusionTeacher(drive, FusionConfig()).virtual_view(drive.images[1], (1.0, 0.0, 0.0), HEIGHT, WIDTH)
    hidden = truth[40:60] < 3.0
    assert hidden.mean() > 0.2
    assert view.seen[40:60][hidden].mean() < 0.15  # its outline remains
    assert (view.confidence[~view.seen] == 0).all()


@dataclass(frozen=True)
class _FlawedNetwork:
    """The truth times a smooth wrong scale."""

    drive: AnalyticDrive
    name: str = "flawed"
    metric: bool = True

    def inverse_depth(self, pixels: NDArray[np.uint8], intrinsics: FloatArray) -> Floats:
        camera = PlacedCamera.of(self.drive.images[1], HEIGHT, WIDTH)
        forward = camera.unit_rays() @ camera.camera_to_world[:3, 2]
        depth = np.minimum(_truth(self.drive, 1), 200.0) * forward
        return np.asarray(1.0 / (depth * 0.6 * np.linspace(0.9, 1.2, WIDTH)), dtype=np.float32)


def test_a_network_fills_what_the_lidar_does_not_reach() -> None:
    drive = _drive(WALL)
    blind = FusionConfig().model_copy(
        update={"completion": FusionConfig().completion.model_copy(update={"upward_px": 0.0})}
    )
    without = FusionTeacher(drive, blind).original_view(drive.images[1], HEIGHT, WIDTH)
    network = _FlawedNetwork(drive)
    assert isinstance(network, MonoDepth)
    teacher = FusionTeacher(drive, blind, network)
    with_network = teacher.original_view(drive.images[1], HEIGHT, WIDTH)
    assert np.isnan(without.ray_distance_m).mean() > 0.1
    assert not np.isnan(with_network.ray_distance_m).any()
    assert _relative_error(with_network.ray_distance_m, _truth(drive, 1)).mean() < 0.03
    # What was measured stays; what was not is trusted less.
    measured = ~np.isnan(without.ray_distance_m)
    np.testing.assert_array_equal(with_network.ray_distance_m[measured], without.ray_distance_m[measured])
    assert with_network.confidence[~measured].min() > 0.1
    assert with_network.confidence[~measured].max() <= blind.mono_depth.confidence < without.confidence[measured].max()
    assert teacher.settings["mono_depth"]["network"] == "flawed"
    assert "folder" not in teacher.settings["mono_depth"]
    assert FusionTeacher(drive, blind).settings["mono_depth"] is None


def test_a_network_takes_the_place_of_guesses_that_are_trusted_less() -> None:
    """Surfaces continued upright are right about this wall; far above the beams the network has more say."""
    drive = _drive(WALL)
    without = FusionTeacher(drive, FusionConfig()).original_view(drive.images[1], HEIGHT, WIDTH)
    with_network = FusionTeacher(drive, FusionConfig(), _FlawedNetwork(drive)).original_view(
        drive.images[1], HEIGHT, WIDTH
    )
    changed = with_network.ray_distance_m != without.ray_distance_m
    assert changed[0].mean() > 0.9 and not changed[60:].any()
    assert (with_network.confidence >= without.confidence).all()


def test_without_lidar_nothing_is_claimed() -> None:
    drive = AnalyticDrive((WALL,), lidar_rate_hz=0.0, height=HEIGHT, width=WIDTH, focal_px=120.0)
    view = FusionTeacher(drive, FusionConfig()).original_view(drive.images[1], HEIGHT, WIDTH)
    assert np.isnan(view.ray_distance_m).all()
    assert not view.seen.any()
    assert (view.confidence == 0).all()
