import json
from pathlib import Path

import numpy as np
import pytest
import torch
from wall_drive import HEIGHT, INTRINSICS, STEP_NS, STRIPES, WALL_M, WIDTH, WallDrive

from distillnerf_core.configuration import load_config
from distillnerf_core.data.drive import BoxTrack
from distillnerf_core.errors import CheckpointError, ConfigurationError
from distillnerf_core.teachers.field.building import build_field
from distillnerf_core.teachers.field.config import SMALL, FieldConfig, FieldTeacherConfig
from distillnerf_core.teachers.field.drive_rays import FieldFrame, read_pixels, read_returns
from distillnerf_core.teachers.field.drive_split import DriveSplit
from distillnerf_core.teachers.field.parts import BoxPart, TimePart
from distillnerf_core.teachers.field.trainer import FieldTrainer
from distillnerf_core.teachers.placed_camera import PlacedCamera


def tiny(config: FieldTeacherConfig, iterations: int = 6) -> FieldTeacherConfig:
    return config.model_copy(update={"iterations": iterations, "pixel_rays": 16, "lidar_rays": 16, "log_every": 2})


def test_a_killed_run_ends_like_one_that_was_not(
    wall: WallDrive, wall_config: FieldTeacherConfig, tmp_path: Path
) -> None:
    whole = FieldTrainer(wall, tiny(wall_config), tmp_path / "whole", wall.sky)
    whole.run(progress=False)
    first = FieldTrainer(wall, tiny(wall_config), tmp_path / "killed", wall.sky)
    for _ in range(3):
        first.train_step()
    first.save()
    second = FieldTrainer(wall, tiny(wall_config), tmp_path / "killed", wall.sky)
    assert second.resume()
    assert second.step == 3
    second.run(progress=False)
    expected = whole.field.state_dict()
    for name, value in second.field.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-7)
    curve = json.loads((tmp_path / "whole" / "curve.json").read_text())
    assert [row["step"] for row in curve] == [2, 4, 6]
    assert {"color", "sky", "proposal", "lidar_distance"} <= curve[0].keys()


def test_a_run_is_not_continued_with_other_settings(
    wall: WallDrive, wall_config: FieldTeacherConfig, tmp_path: Path
) -> None:
    FieldTrainer(wall, tiny(wall_config), tmp_path).save()
    with pytest.raises(CheckpointError, match="iterations"):
        FieldTrainer(wall, tiny(wall_config, 8), tmp_path).resume()


def test_every_term_of_the_loss_is_there_with_its_weight(
    wall: WallDrive, wall_config: FieldTeacherConfig, tmp_path: Path
) -> None:
    field = wall_config.field.model_copy(update={"moving": "time", "time": SMALL.field.time, "shadows": True})
    config = tiny(wall_config, 2).model_copy(update={"field": field})
    trainer = FieldTrainer(wall, config, tmp_path, wall.sky)
    first, second = trainer.train_step(), trainer.train_step()
    assert set(first) == {"color", "sky", "shadow", "moving", "lidar_distance", "lidar_moving"}
    assert set(second) == set(first) | {"proposal", "lidar_proposal", "lidar_line_of_sight"}
    # A new field has the density exp(-1) everywhere, at which the moving part is weighted by 0.01.
    assert first["moving"] == pytest.approx(0.01 * np.exp(-1.0), rel=0.3)


def test_pixels_and_returns_lie_on_the_rays_of_the_drive(wall: WallDrive) -> None:
    frame = FieldFrame.of(wall)
    pixels = read_pixels(wall, wall.images, frame, (HEIGHT, WIDTH), wall.sky, {"CAM_FRONT": 0.25})
    batch = pixels.draw(300, torch.Generator().manual_seed(0))
    stamps = np.array(wall.sweep_stamps_ns)[batch.rays.images.numpy()]
    np.testing.assert_allclose(batch.rays.times_s, stamps * 1e-9, atol=1e-6)
    hit = batch.rays.origins_m + batch.rays.directions * (WALL_M / batch.rays.directions[:, :1])
    assert batch.sky is not None
    np.testing.assert_array_equal(batch.sky.numpy(), hit[:, 2].numpy() > 5.0)
    red = 0.5 + 0.4 * np.sin(STRIPES * hit[:, 1])
    np.testing.assert_allclose(batch.colors[~batch.sky][:, 0], red[~batch.sky], atol=3e-3)
    below = -batch.rays.directions[:, 2] / batch.rays.directions[:, 0] * INTRINSICS[1, 1] + INTRINSICS[1, 2]
    assert below.max() < 0.75 * HEIGHT  # the own vehicle is left out

    returns = read_returns(wall, range(6), frame, 1.5, 32.0)
    assert returns is not None
    rays, ranges = returns.draw(200, torch.Generator().manual_seed(0))
    points = rays.origins_m + rays.directions * ranges[:, None]
    torch.testing.assert_close(points[:, 0], torch.full((200,), WALL_M), rtol=0, atol=1e-4)
    torch.testing.assert_close(rays.origins_m[:, 1], 20.0 * rays.times_s, rtol=0, atol=1e-5)
    assert bool((ranges < 32.0).all())
    assert read_returns(wall, range(6), frame, 1.5, 29.0) is None


def test_rays_of_a_camera_are_those_that_pixels_are_drawn_from(wall: WallDrive) -> None:
    frame, image = FieldFrame.of(wall), wall.images[3]
    rays = frame.camera_rays(PlacedCamera.of(image, HEIGHT, WIDTH), image.stamp_ns, 3)
    pixels = read_pixels(wall, wall.images, frame, (HEIGHT, WIDTH), None, {})
    pixel = torch.tensor([7.5, 4.5, 1.0])
    direction = torch.nn.functional.normalize(pixels.pixel_to_field[3] @ pixel, dim=0)
    torch.testing.assert_close(rays.directions[4 * WIDTH + 7], direction, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rays.origins_m[0], pixels.origins_m[3])
    assert pixels.sky is None


def test_the_frame_is_that_of_the_first_sweep_but_upright() -> None:
    class Tilted(WallDrive):
        def ego_to_world(self, stamp_ns: int) -> np.ndarray:
            turn, pitch = np.eye(4), np.eye(4)
            turn[:2, :2], turn[:3, 3] = [[0.0, -1.0], [1.0, 0.0]], [500.0, 80.0, 2.0]
            pitch[[0, 0, 2, 2], [0, 2, 0, 2]] = [np.cos(0.1), np.sin(0.1), -np.sin(0.1), np.cos(0.1)]
            return np.asarray(turn @ pitch)

    frame = FieldFrame.of(Tilted())
    np.testing.assert_allclose(frame.points(np.array([[500.0, 81.0, 5.0]])), [[1.0, 0.0, 3.0]], atol=1e-5)


def test_held_out_sweeps_take_their_lidar_with_them(wall: WallDrive) -> None:
    split = DriveSplit.of(wall, hold_out_every=3)
    assert [image.sweep for image in split.held_out] == [1, 4]
    assert [image.sweep for image in split.images] == [0, 2, 3, 5]
    assert split.scans == (0, 2, 3, 5)
    assert len(DriveSplit.of(wall, sweep_step=2).images) == 3
    assert DriveSplit.of(wall).held_out == ()


def tracks(*speeds: float) -> tuple[BoxTrack, ...]:
    poses = [np.stack([np.eye(4), np.eye(4)]) for _ in speeds]
    for pose, speed in zip(poses, speeds, strict=True):
        pose[1, 0, 3] = speed
    stamps = np.array([0, 5 * STEP_NS])
    return tuple(BoxTrack(str(n), "car", (4.0, 2.0, 1.5), stamps, pose) for n, pose in enumerate(poses))


@pytest.mark.parametrize(("labelled", "kind"), [((), TimePart), ((0.0, 0.1), type(None)), ((0.0, 5.0, -3.0), BoxPart)])
def test_the_moving_part_suits_the_labels(labelled: tuple[float, ...], kind: type) -> None:
    drive = WallDrive()
    drive.tracks = tracks(*labelled)
    frame, split = FieldFrame.of(drive), DriveSplit.of(drive)
    field = build_field(drive, split, frame, None, SMALL.field)
    assert isinstance(field.moving, kind)
    if isinstance(field.moving, BoxPart):
        assert len(field.moving.poses.half_m) == 2
    if isinstance(field.moving, TimePart):
        assert field.moving.network.grid.layout.levels[-1].scales[3] == 5.0


def test_boxes_are_not_asked_for_where_nothing_moves(wall: WallDrive) -> None:
    config = FieldConfig(**{**SMALL.field.model_dump(), "moving": "boxes"})
    with pytest.raises(ConfigurationError, match="auto"):
        build_field(wall, DriveSplit.of(wall), FieldFrame.of(wall), None, config)


def test_the_settings_in_the_repository_are_valid() -> None:
    folder = Path(__file__).resolve().parents[4] / "config"
    assert load_config(folder / "teacher_field_small.yaml", FieldTeacherConfig) == SMALL
    full = load_config(folder / "teacher_field.yaml", FieldTeacherConfig)
    assert full.field == FieldConfig()
    assert full.model_copy(update={"own_vehicle": {}}) == FieldTeacherConfig()
