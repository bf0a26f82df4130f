"""Targets of a drive through a world of known truth: a ground plane, a wall that stands and a car that moves."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from analytic_drive import CAMERA_TO_EGO, AnalyticDrive, Block
from torch import Tensor

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import BACKGROUND, CLASS_NAMES, FREE, UNKNOWN
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import Offset, TaughtView
from distillnerf_core.teachers.targets import TaughtDrive
from distillnerf_core.teachers.teaching import key_images, teach
from distillnerf_core.training.drive_supervision import DriveSupervisor, SupervisionConfig

WALL = Block((25.0, -30.0, 0.0), (26.0, 30.0, 6.0))
CAR = Block((12.0, -4.0, 0.0), (16.0, -2.0, 1.5), velocity_m_s=(3.0, 0.0, 0.0), track="car-1")
DRIVE = AnalyticDrive((WALL, CAR), speed_m_s=4.0, seconds=1.0)
SIZE = (DRIVE.height, DRIVE.width)
UNSEEN_ROWS = 5
ROAD = CLASS_NAMES.index("driveable_surface")
CLASS_CAR = CLASS_NAMES.index("car")


class ExactTeacher:
    """Knows the truth, but trusts itself less on the right half of a picture, and did not see its lowest rows."""

    name = "exact"
    settings: Mapping[str, Any] = {}

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        return self.virtual_view(image, (0.0, 0.0, 0.0), height, width)

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        camera = PlacedCamera.of(image, height, width).moved(offset_m)
        pixels, distance = DRIVE.render(camera.camera_to_world, camera.intrinsics, height, width, image.stamp_ns)
        sky, seen = np.isinf(distance), np.ones(distance.shape, dtype=np.bool_)
        seen[-UNSEEN_ROWS:] = False
        confidence = np.where(np.arange(width) < width // 2, 1.0, 0.2) * seen
        known = np.where(sky | ~seen, np.nan, distance).astype(np.float32)
        return TaughtView(pixels, known, sky & seen, confidence.astype(np.float32), seen)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> TaughtDrive:
    folder = tmp_path_factory.mktemp("teacher") / "analytic"
    for _ in teach(folder, DRIVE, ExactTeacher(), key_images(DRIVE), SIZE):
        pass
    return TaughtDrive(folder)


def exact(pose_in_ego: Tensor, sweep: int, at: int, drive: AnalyticDrive = DRIVE) -> Tensor:
    """Casts the rays of a camera posed in the ego frame of one sweep through the world at the time of another."""
    image = drive.images[sweep]
    pose = drive.ego_to_world(image.stamp_ns) @ pose_in_ego.double().numpy()
    distance = drive.render(pose, image.intrinsics, *SIZE, drive.images[at].stamp_ns)[1]
    return torch.from_numpy(distance).float()


def relative_error(found: Tensor, truth: Tensor) -> Tensor:
    known = found.isfinite() & truth.isfinite()
    return ((found - truth).abs() / truth)[known]


def view(frame: SupervisedFrame, name: str) -> OtherViews:
    return next(views for views in frame.others if views.name == name)


def test_the_lidar_alone_teaches_sparse_distances_along_rays() -> None:
    frame = DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(1, *SIZE)
    known = frame.ray_distance_m.isfinite()
    assert 0.05 < known.float().mean() < 0.6
    error = relative_error(frame.ray_distance_m[0], exact(frame.frame.rig.camera_to_ego[0], 1, 1))
    assert error.median() < 0.02 and error.quantile(0.9) < 0.1
    assert (frame.labels == CLASS_CAR).sum() > 5
    assert frame.labels[~known].unique().tolist() == [UNKNOWN]
    np.testing.assert_allclose(frame.frame.rig.camera_to_ego[0], CAMERA_TO_EGO, atol=1e-6)


def test_voxels_are_free_occupied_and_classed_as_the_world_is() -> None:
    frame = DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(0, *SIZE)
    x, y, z = torch.meshgrid(*(torch.arange(n) for n in frame.grid.size), indexing="ij")
    centers = torch.stack((x, y, z), dim=-1) * frame.grid.voxel_size_m + torch.tensor(frame.grid.lower_m) + 0.2
    free = centers[frame.occupancy == FREE]
    margin = 0.4
    for block in (WALL, CAR):
        lower, upper = torch.tensor(block.lower_m), torch.tensor(block.upper_m)
        assert not ((free > lower + margin) & (free < upper - margin)).all(dim=1).any()
    assert free[:, 2].min() > -0.4 and len(free) > 5000
    solid = centers[frame.occupancy == CLASS_CAR]
    assert len(solid) > 10
    assert (solid > torch.tensor(CAR.lower_m) - margin).all() and (solid < torch.tensor(CAR.upper_m) + margin).all()
    assert (frame.occupancy == BACKGROUND).sum() > 300
    assert torch.equal(frame.visible, frame.occupancy != UNKNOWN)


def test_key_frames_before_and_after_are_posed_in_this_frame_and_leave_out_what_moves() -> None:
    frame = DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(1, *SIZE)
    assert [views.name for views in frame.others] == ["next", "previous"]
    for name, sweep, ahead in (("next", 2, 2.0), ("previous", 0, -2.0)):
        other = view(frame, name)
        moved = CAMERA_TO_EGO[:3, 3] + (ahead, 0.0, 0.0)
        np.testing.assert_allclose(other.rig.camera_to_ego[0, :3, 3], moved, atol=1e-5)
        truth = exact(other.rig.camera_to_ego[0], 1, sweep)
        error = relative_error(other.ray_distance_m[0], truth)
        assert error.median() < 0.02
        still = replace(DRIVE, blocks=(WALL,))
        car = exact(other.rig.camera_to_ego[0], 1, sweep, still) != truth
        assert car.sum() > 20 and other.weight[0][car].max() == 0
        assert (other.weight[0] == 0).sum() < 2.5 * car.sum()
    assert [views.name for views in DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(0, *SIZE).others] == [
        "next"
    ]


def test_a_teacher_makes_distances_dense_where_it_is_sure(taught: TaughtDrive) -> None:
    supervisor = DriveSupervisor(DRIVE, taught, SupervisionConfig(lidar=False))
    distance = supervisor.supervise(1, *SIZE).ray_distance_m[0]
    truth = exact(torch.from_numpy(CAMERA_TO_EGO), 1, 1)
    sure = torch.zeros(SIZE, dtype=torch.bool)
    sure[:-UNSEEN_ROWS, : SIZE[1] // 2] = True
    assert torch.equal(~distance.isnan(), sure)
    assert torch.equal(distance.isinf()[sure], truth.isinf()[sure]) and truth.isinf()[sure].any()
    assert relative_error(distance, truth).max() < 2e-3
    lenient = DriveSupervisor(DRIVE, taught, SupervisionConfig(lidar=False, confidence=0.1)).supervise(1, *SIZE)
    assert torch.equal((~lenient.ray_distance_m[0].isnan()).any(dim=1), sure.any(dim=1))
    assert (~lenient.ray_distance_m.isnan()).sum() == 2 * sure.sum()


def test_the_lidar_fills_what_the_teacher_does_not_know(taught: TaughtDrive) -> None:
    alone = DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(1, *SIZE).ray_distance_m
    teacher = DriveSupervisor(DRIVE, taught, SupervisionConfig(lidar=False)).supervise(1, *SIZE).ray_distance_m
    both = DriveSupervisor(DRIVE, taught, SupervisionConfig()).supervise(1, *SIZE).ray_distance_m
    torch.testing.assert_close(both, torch.where(teacher.isnan(), alone, teacher), equal_nan=True)


def test_virtual_views_stand_a_metre_aside_with_the_trust_of_the_teacher(taught: TaughtDrive) -> None:
    frame = DriveSupervisor(DRIVE, taught, SupervisionConfig(neighbours=False)).supervise(1, *SIZE)
    assert [views.name for views in frame.others] == list(taught.index.offsets_m)
    for name, offset in taught.index.offsets_m.items():
        other = view(frame, name)
        pose = other.rig.camera_to_ego[0]
        np.testing.assert_allclose(pose[:3, 3], CAMERA_TO_EGO[:3, 3] + CAMERA_TO_EGO[:3, :3] @ offset, atol=1e-5)
        assert relative_error(other.ray_distance_m[0], exact(pose, 1, 1)).max() < 2e-3
        assert other.weight[0, -UNSEEN_ROWS:].max() == 0
        half = SIZE[1] // 2
        np.testing.assert_allclose(other.weight[0, :-UNSEEN_ROWS, :half], 1.0, atol=5e-3)
        np.testing.assert_allclose(other.weight[0, :-UNSEEN_ROWS, half:], 0.2, atol=5e-3)
    without = DriveSupervisor(DRIVE, taught, SupervisionConfig(neighbours=False, virtual=False))
    assert without.supervise(1, *SIZE).others == ()


def test_a_teacher_labels_more_voxels_without_filling_free_space(taught: TaughtDrive) -> None:
    plain = DriveSupervisor(DRIVE, None, SupervisionConfig()).supervise(1, *SIZE).occupancy
    dense = DriveSupervisor(DRIVE, taught, SupervisionConfig()).supervise(1, *SIZE).occupancy
    solid = {name: (labels != FREE) & (labels != UNKNOWN) for name, labels in (("plain", plain), ("dense", dense))}
    assert solid["dense"].sum() > solid["plain"].sum()
    assert (dense == FREE).sum() > (plain == FREE).sum() + 1000
    assert not (solid["plain"] & (dense == FREE)).any()


def test_simulated_drives_know_the_class_of_every_pixel() -> None:
    config = SimulatedDriveConfig(
        seed=4,
        seconds=0.6,
        rate_hz=2.0,
        lidar_rate_hz=2.0,
        simulation=SimulationConfig(height=24, width=44, supersampling=1, shadows=False),
    )
    drive = SimulatedDrive(config)
    frame = DriveSupervisor(drive, None, SupervisionConfig(true_labels=True)).supervise(0, 24, 44)
    truth = np.stack([drive.true_view(image).labels for image in drive.images if image.sweep == 0])
    np.testing.assert_array_equal(frame.labels, truth)
    assert not (frame.occupancy == ROAD).any()  # no labelled box holds a road


class OmniscientTeacher:
    """Knows what a simulated drive knows."""

    name = "omniscient"
    settings: Mapping[str, Any] = {}

    def __init__(self, drive: SimulatedDrive) -> None:
        self._drive = drive

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        return self.virtual_view(image, (0.0, 0.0, 0.0), height, width)

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        view, everywhere = self._drive.true_view(image), np.ones((height, width), dtype=np.bool_)
        sky = np.isinf(view.ray_distance_m)
        known = np.where(sky, np.nan, view.ray_distance_m).astype(np.float32)
        return TaughtView(view.pixels, known, sky, everywhere.astype(np.float32), everywhere)


def test_places_that_a_teacher_sees_get_the_true_class_of_their_pixel(tmp_path: Path) -> None:
    simulation = SimulationConfig(height=24, width=44, supersampling=1, shadows=False)
    drive = SimulatedDrive(
        SimulatedDriveConfig(seed=4, seconds=0.6, rate_hz=2.0, lidar_rate_hz=0.0, simulation=simulation)
    )
    images = [image for image in drive.images if image.sweep == 0]
    list(teach(tmp_path / "taught", drive, OmniscientTeacher(drive), images, (24, 44)))
    config = SupervisionConfig(true_labels=True, virtual=False, neighbours=False)
    frame = DriveSupervisor(drive, TaughtDrive(tmp_path / "taught"), config).supervise(0, 24, 44)
    assert (frame.occupancy == ROAD).sum() > 50
    rays = camera_rays(frame.frame.rig)
    places = rays.origins_m + frame.ray_distance_m[..., None].nan_to_num(posinf=1e4) * rays.directions
    index, inside = frame.grid.indices(places[frame.ray_distance_m < 50].view(-1, 3))
    seen = {name: set[int]() for name in {tuple(place) for place in index[inside].tolist()}}
    for place, label in zip(index[inside].tolist(), frame.labels[frame.ray_distance_m < 50][inside], strict=True):
        seen[tuple(place)].add(int(label))
    wrong = [place for place, labels in seen.items() if int(frame.occupancy[place]) not in labels]
    assert len(seen) > 200 and not wrong


def test_what_cannot_teach_is_refused(taught: TaughtDrive, tmp_path: Path) -> None:
    blind = replace(DRIVE, lidar_rate_hz=0.0)
    with pytest.raises(DataError, match="distillnerf teach"):
        DriveSupervisor(blind, None, SupervisionConfig())
    with pytest.raises(DataError, match="views of analytic, not of other"):
        DriveSupervisor(replace(DRIVE, name="other"), taught, SupervisionConfig())
    with pytest.raises(DataError, match="only simulated drives"):
        DriveSupervisor(DRIVE, None, SupervisionConfig(true_labels=True))
