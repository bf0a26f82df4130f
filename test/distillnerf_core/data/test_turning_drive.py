"""While the vehicle turns, everything that it sees is still exact."""

import functools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from simulated_street import nearest_surface

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.other_views import simulate_others
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego, nuscenes_rig
from distillnerf_core.simulation.simulator import SimulationConfig, exposure_ns, reference_stamp_ns
from distillnerf_core.simulation.style import StreetStyle

SIZE = SimulationConfig(height=36, width=64, supersampling=1, shadows=False)
STYLE = StreetStyle(manoeuvre="turn", slowest_m_s=5.0, fastest_m_s=10.0, driving=1)


@functools.lru_cache
def turning() -> tuple[SimulatedDrive, float]:
    """Returns a drive with a turn, and the time in the middle of it."""
    config = SimulatedDriveConfig(
        seed=13, seconds=6.0, simulation=SIZE, style=STYLE, lidar=LidarConfig(azimuth_steps=180)
    )
    drive = SimulatedDrive(config)
    knots = drive.scene.path.course.knots
    return drive, (knots[0][0] + knots[-1][0]) / 2 / drive.scene.path.speed_m_s


def image_of(camera: str, seconds: float) -> DriveImage:
    drive, _ = turning()
    taken = [image for image in drive.images if image.camera == camera]
    return min(taken, key=lambda image: abs(image.stamp_ns - START_NS - seconds * 1e9))


def points_of(image: DriveImage, distance: NDArray[np.float32]) -> NDArray[np.float64]:
    rows, columns = np.mgrid[: image.height, : image.width] + 0.5
    rays = np.stack((columns, rows, np.ones_like(rows)), axis=-1) @ np.linalg.inv(image.intrinsics).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    far = np.where(np.isfinite(distance), distance, np.nan)
    return np.asarray(rays * far[..., None] @ image.camera_to_world[:3, :3].T + image.camera_to_world[:3, 3])


def test_each_camera_has_the_heading_of_its_own_exposure() -> None:
    drive, middle = turning()
    path, sweep, headings = drive.scene.path, image_of("CAM_FRONT", middle).sweep, []
    mounts = nuscenes_rig(SIZE.height, SIZE.width).camera_to_ego.double().numpy()
    for image in (image for image in drive.images if image.sweep == sweep):
        ego = image.camera_to_world @ np.linalg.inv(mounts[drive.cameras.index(image.camera)])
        headings.append(np.arctan2(ego[1, 0], ego[0, 0]))
        way = path.speed_m_s * (image.stamp_ns - START_NS) * 1e-9
        assert headings[-1] == pytest.approx(path.course.place(way).heading, abs=1e-6)
        assert ego[:2, 3] == pytest.approx((path.course.place(way).x, path.y + path.course.place(way).y), abs=1e-5)
    assert len(headings) == 6 and np.ptp(headings) > 0.01


def test_static_points_of_one_image_are_where_another_one_sees_them() -> None:
    drive, middle = turning()
    source, target = image_of("CAM_FRONT", middle - 0.6), image_of("CAM_FRONT", middle + 0.3)
    view, flow = drive.true_view(source), drive.true_flow(source, target)
    points = points_of(source, view.ray_distance_m)
    local = (points - target.camera_to_world[:3, 3]) @ target.camera_to_world[:3, :3]
    pixels = (local @ target.intrinsics.T)[..., :2] / local[..., 2:]
    rows, columns = np.mgrid[: source.height, : source.width] + 0.5
    expected = pixels - np.stack((columns, rows), axis=-1)
    static = flow.visible & ~flow.moving
    assert static.sum() > 300
    np.testing.assert_allclose(flow.flow_px[static], expected[static], atol=5e-3)
    origin = torch.from_numpy(target.camera_to_world[:3, 3]).float()
    rays = torch.from_numpy(points[static] - target.camera_to_world[:3, 3]).float()
    length = rays.norm(dim=1)
    seen, _, _ = nearest_surface(drive.scene, (target.stamp_ns - START_NS) * 1e-9, origin, rays / length[:, None])
    torch.testing.assert_close(seen, length, rtol=2e-3, atol=0.02)


def test_views_of_another_time_are_turned_with_the_vehicle() -> None:
    drive, middle = turning()
    start = round(middle * 12) * round(1e9 / 12)
    others = simulate_others(drive.scene, start, "next", SIZE)
    world_to_ego = np.linalg.inv(drive.scene.path.pose(reference_stamp_ns(start) * 1e-9).numpy())
    front = list(others.rig.names).index("CAM_FRONT")
    later = drive.scene.path.pose(exposure_ns(start + 500_000_000)[front] * 1e-9).numpy()
    mount = nuscenes_rig().camera_to_ego[front].double().numpy()
    np.testing.assert_allclose(others.rig.camera_to_ego[front], world_to_ego @ later @ mount, atol=1e-5)
    assert abs(float((world_to_ego @ later)[1, 0])) > 0.1


def test_the_lidar_is_turned_while_it_sweeps() -> None:
    drive, middle = turning()
    index = round(middle * 20)
    sweep = drive.true_scan(index)
    mount = nuscenes_lidar_to_ego().double()
    for point in range(0, len(sweep.rings), 400):
        seconds = float(sweep.stamps_ns[point]) * 1e-9
        place = drive.scene.path.pose(seconds) @ mount
        torch.testing.assert_close(sweep.origins_m[point], place[:3, 3], atol=1e-9, rtol=0)
        line = sweep.points_m[point] - sweep.origins_m[point]
        beam = place[:3, :3].T @ line / line.norm()
        step = (torch.atan2(beam[0], beam[1]) / (2 * torch.pi) * 180) % 1.0
        assert min(float(step), 1.0 - float(step)) < 1e-3
        ray = (line / line.norm()).float()[None]
        distance, label, instance = nearest_surface(drive.scene, seconds, sweep.origins_m[point].float(), ray)
        assert abs(float(distance[0]) - float(line.norm())) < 5e-3
        assert (int(label[0]), int(instance[0])) == (int(sweep.labels[point]), int(sweep.instances[point]))


@pytest.mark.parametrize("camera", ["CAM_FRONT", "CAM_BACK_LEFT"])
def test_moving_pixels_are_those_of_objects_that_move(camera: str) -> None:
    drive, middle = turning()
    image = image_of(camera, middle)
    view, solids = drive.true_view(image), drive.scene.primitives
    moving = solids.instance[solids.velocity_m_s.norm(dim=1) > 0].unique().numpy()
    np.testing.assert_array_equal(view.moving, np.isin(view.instances, moving) & (view.instances > 0))
