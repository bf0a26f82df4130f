"""A simulated drive keeps to the protocol, and its truth agrees with itself."""

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.simulator import SimulationConfig, render_camera

SIZE = SimulationConfig(height=45, width=80, supersampling=1)
CONFIG = SimulatedDriveConfig(seed=3, seconds=2.0, simulation=SIZE, lidar=LidarConfig(azimuth_steps=360))


@pytest.fixture(scope="module")
def drive() -> SimulatedDrive:
    return SimulatedDrive(CONFIG)


def points_of(image: DriveImage, distance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the world points [height width 3] at distances along the rays of an image, NaN in the sky."""
    distance = np.where(np.isfinite(distance), distance, np.nan)
    rows, columns = np.mgrid[: image.height, : image.width] + 0.5
    rays = np.stack((columns, rows, np.ones_like(rows)), axis=-1) @ np.linalg.inv(image.intrinsics).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return np.asarray(rays * distance[..., None] @ image.camera_to_world[:3, :3].T + image.camera_to_world[:3, 3])


def test_it_is_a_drive(drive: SimulatedDrive) -> None:
    assert isinstance(drive, Drive)
    assert len(drive.images) == 6 * len(drive.sweep_stamps_ns) == 6 * 24
    assert [image.camera for image in drive.images[6:12]] == list(drive.cameras)
    assert {image.sweep for image in drive.images[6:12]} == {1}
    stamps = [image.stamp_ns for image in drive.images]
    assert stamps == sorted(stamps) and stamps[0] == START_NS
    assert drive.sweep_stamps_ns[1] == drive.images[7].stamp_ns
    assert drive.key_sweeps == (0, 6, 12, 18)
    assert len(drive.scan_stamps_ns) == 40 and drive.scan_stamps_ns[-1] == START_NS + 2_000_000_000


@pytest.mark.parametrize(("rate", "keys"), [(2.0, (0, 1, 2, 3)), (1.0, (0, 1)), (5.0, (0, 3, 5, 8))])
def test_key_sweeps_follow_their_rate(rate: float, keys: tuple[int, ...]) -> None:
    assert SimulatedDrive(CONFIG.model_copy(update={"rate_hz": rate})).key_sweeps == keys


def test_images_are_those_of_the_recording_of_the_street(drive: SimulatedDrive) -> None:
    image = drive.images[9]
    pixels, geometry = render_camera(drive.scene, 3, image.stamp_ns - START_NS, SIZE)
    seen = drive.read_image(image)
    assert seen.dtype == np.uint8 and seen.shape == (45, 80, 3)
    assert np.abs(seen / 255.0 - pixels.permute(1, 2, 0).numpy()).max() < 0.02
    np.testing.assert_allclose(drive.true_ray_distance(image), geometry.distance_m.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(drive.true_labels(image), geometry.labels.numpy())


def test_pixels_of_objects_lie_in_the_box_of_their_track(drive: SimulatedDrive) -> None:
    checked = 0
    for image in drive.images[-6:-2]:
        view = drive.true_view(image)
        points, instances, labels = points_of(image, view.ray_distance_m), view.instances, view.labels
        for track in drive.tracks:
            mask = instances == int(track.track.split("_")[1])
            pose = track.pose(image.stamp_ns)
            assert pose is not None
            if mask.any():
                local = (points[mask] - pose[:3, 3]) @ pose[:3, :3]
                assert (np.abs(local) <= np.array(track.size_lwh_m) / 2 + 2e-3).all(), track.track
                assert {CLASS_NAMES[label] for label in labels[mask]} == {track.label}
                checked += int(mask.sum())
    assert checked > 200


def test_the_moving_mask_is_that_of_moving_tracks(drive: SimulatedDrive) -> None:
    moving = [int(track.track.split("_")[1]) for track in drive.tracks if track.moves]
    views = [drive.true_view(image) for image in drive.images[:6]]
    assert any(view.moving.any() for view in views)
    for view in views:
        np.testing.assert_array_equal(view.moving, np.isin(view.instances, moving))
    np.testing.assert_array_equal(drive.moving_mask(drive.images[1]), views[1].moving)


def test_a_virtual_view_agrees_with_the_image_that_it_repeats(drive: SimulatedDrive) -> None:
    image = drive.images[7]
    view = drive.render_view(image.camera_to_world, image.intrinsics, 45, 80, image.stamp_ns)
    np.testing.assert_array_equal(view.pixels, drive.read_image(image))
    aside = image.camera_to_world.copy()
    aside[:3, 3] += aside[:3, 0]
    shifted = drive.render_view(aside, image.intrinsics, 45, 80, image.stamp_ns)
    road = shifted.labels == CLASS_NAMES.index("driveable_surface")
    moved = dataclasses.replace(image, camera_to_world=aside)
    assert road.any() and np.abs(points_of(moved, shifted.ray_distance_m)[road][:, 2]).max() < 1e-3


def test_points_of_a_revolution_lie_in_the_tracks_of_their_objects(drive: SimulatedDrive) -> None:
    """At the own time of each point, not at that of the revolution."""
    scan, truth = drive.read_scan(11), drive.true_scan(11)
    instances, checked = truth.instances.numpy(), 0
    assert len(scan.points_m) == len(scan.origins_m) == len(scan.stamps_ns) == len(scan.rings) == len(instances)
    assert scan.stamps_ns.max() == scan.stamp_ns and np.ptp(scan.stamps_ns) > 45_000_000
    for track in drive.tracks:
        for point in np.flatnonzero(instances == int(track.track.split("_")[1])):
            pose = track.pose(int(scan.stamps_ns[point]))
            assert pose is not None
            local = (scan.points_m[point] - pose[:3, 3]) @ pose[:3, :3]
            assert (np.abs(local) <= np.array(track.size_lwh_m) / 2 + 2e-3).all()
            checked += 1
    assert checked > 100


def test_the_lidar_is_on_the_vehicle(drive: SimulatedDrive) -> None:
    scan = drive.read_scan(11)
    for index in (0, -1):
        mount = drive.ego_to_world(int(scan.stamps_ns[index])) @ np.array([0.944, 0.0, 1.84, 1.0])
        np.testing.assert_allclose(scan.origins_m[index], mount[:3], atol=1e-6)


def test_flow_and_distance_give_the_next_image(drive: SimulatedDrive) -> None:
    """Distances and colours that the flow points at are those of the points that it follows."""
    first, second = (
        image for image in drive.images[24:48] if image.camera == "CAM_FRONT_LEFT" and image.sweep in (4, 5)
    )
    flow = drive.true_flow(first, second)
    still = flow.visible & ~flow.moving
    columns, rows = np.meshgrid(np.arange(80) + 0.5, np.arange(45) + 0.5)
    at = (np.stack((columns, rows), axis=-1) + flow.flow_px)[still].astype(np.float32) - 0.5
    start = points_of(first, drive.true_ray_distance(first)) - second.camera_to_world[:3, 3]
    truth, corner = drive.true_view(second), np.floor(at).astype(int).clip(0, (78, 43))
    around = [truth.instances[corner[:, 1] + down, corner[:, 0] + right] for down in (0, 1) for right in (0, 1)]
    whole = ((at >= 0) & (at < (79, 44))).all(axis=1)
    inner = whole & (np.ptp(np.stack(around), axis=0) == 0)
    inverse = cv2.remap(1.0 / truth.ray_distance_m, at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR)[0]
    error = np.abs(inverse * np.linalg.norm(start[still], axis=-1) - 1.0)[inner]
    assert still.mean() > 0.3 and inner.mean() > 0.6 and np.abs(flow.flow_px[still]).max() > 3
    assert np.median(error) < 1e-4 and np.mean(error < 0.01) > 0.97
    seen = cv2.remap(drive.read_image(second), at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR)[0]
    followed = np.abs(seen.astype(float) - drive.read_image(first)[still]).mean()
    unmoved = np.abs(drive.read_image(second)[still].astype(float) - drive.read_image(first)[still]).mean()
    assert followed < 0.5 * unmoved


def test_faults_of_cameras_are_in_the_images_and_not_in_the_truth(drive: SimulatedDrive) -> None:
    faulty = SimulatedDrive(CONFIG.model_copy(update={"effects": CameraEffects(exposure_stops=0.5, noise=0.05)}))
    image = drive.images[2]
    np.testing.assert_array_equal(faulty.true_view(image).pixels, drive.read_image(image))
    seen = faulty.read_image(image)
    np.testing.assert_array_equal(seen, faulty.read_image(image))
    assert not np.array_equal(seen, drive.read_image(image))


def test_a_missing_revolution_is_named(drive: SimulatedDrive) -> None:
    with pytest.raises(DataError, match="no LiDAR revolution 40, there are 40"):
        drive.read_scan(40)
    silent = SimulatedDrive(CONFIG.model_copy(update={"lidar_rate_hz": 0.0}))
    assert silent.scan_stamps_ns == () and len(silent.tracks) > 0
