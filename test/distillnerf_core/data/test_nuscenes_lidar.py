"""Every point gets the time and place at which it was measured: a synthetic revolution, and a recorded one."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from distillnerf_core.data.nuscenes_lidar import LidarConfig, read_revolution
from distillnerf_core.data.pose_track import PoseTrack
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.transforms import rigid_from_quaternion

STAMP = 1_532_402_927_647_951_000
COLUMNS, BEAMS, PERIOD_NS = 361, 8, 50_000_000
MOUNT = np.array([[0.0, 1, 0, 0.94], [-1, 0, 0, 0.0], [0, 0, 1, 1.84], [0, 0, 0, 1]])
FloatArray = NDArray[np.float64]


def pose(seconds: float) -> FloatArray:
    """Drives at 20 m/s and turns left by 0.5 rad/s; the stamp is at zero."""
    half = 0.25 * seconds
    return rigid_from_quaternion(np.array([20 * seconds, 3.0, 0.1]), np.array([0, 0, np.sin(half), np.cos(half)]))


@pytest.fixture(scope="module")
def poses() -> PoseTrack:
    ticks = np.arange(-100, 101, 5)
    return PoseTrack([STAMP + int(tick) * 1_000_000 for tick in ticks], [pose(tick * 1e-3) for tick in ticks])


def revolution(reach_m: float) -> tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Returns the shots in the order of time: world points, origins, times and rings."""
    points, origins, stamps = [], [], []
    elevations = np.radians(np.linspace(-20, 10, BEAMS))
    for column in range(COLUMNS):
        stamps.append(STAMP - round(PERIOD_NS * (1 - column / (COLUMNS - 1))))
        sensor = pose((stamps[-1] - STAMP) * 1e-9) @ MOUNT
        azimuth = np.pi - 2 * np.pi * column / (COLUMNS - 1)
        rays = [np.cos(elevations) * np.cos(azimuth), np.cos(elevations) * np.sin(azimuth), np.sin(elevations)]
        points.append(reach_m * np.stack(rays, axis=-1) @ sensor[:3, :3].T + sensor[:3, 3])
        origins.append(np.tile(sensor[:3, 3], (BEAMS, 1)))
    rings = np.tile(np.arange(BEAMS), COLUMNS)
    return np.concatenate(points), np.concatenate(origins), np.repeat(stamps, BEAMS), rings


def write(path: Path, world: FloatArray, rings: NDArray[np.int64]) -> Path:
    """Writes points as nuScenes does, in the frame of the sensor at the stamp."""
    end = pose(0.0) @ MOUNT
    local = (world - end[:3, 3]) @ end[:3, :3]
    np.column_stack([local, np.zeros(len(local)), rings]).astype("<f4").tofile(path)
    return path


def test_a_whole_revolution_is_exact(tmp_path: Path, poses: PoseTrack) -> None:
    world, origins, stamps, rings = revolution(30.0)
    world[::3] = origins[::3]  # no return
    scan = read_revolution(write(tmp_path / "a.pcd.bin", world, rings), STAMP, MOUNT, poses, LidarConfig())
    returned = np.arange(len(world)) % 3 > 0
    np.testing.assert_allclose(scan.points_m, world[returned], atol=1e-5)
    np.testing.assert_allclose(scan.origins_m, origins[returned], atol=1e-4)
    np.testing.assert_allclose(scan.stamps_ns, stamps[returned], atol=2)
    np.testing.assert_array_equal(scan.rings, rings[returned])
    assert scan.stamp_ns == STAMP


@pytest.mark.parametrize("times", ["auto", "azimuth"])
def test_without_whole_columns_the_azimuth_tells_the_time(tmp_path: Path, poses: PoseTrack, times: str) -> None:
    world, origins, stamps, rings = revolution(30.0)
    kept = np.random.default_rng(1).random(len(world)) < 0.7
    path = write(tmp_path / "a.pcd.bin", world[kept], rings[kept])
    config = LidarConfig.model_validate({"point_times": times})
    scan = read_revolution(path, STAMP, MOUNT, poses, config)
    # 1 m of motion at a distance of 30 m is an azimuth of 2 degrees, which the sensor turns in 0.3 ms.
    assert np.abs(scan.stamps_ns - stamps[kept]).max() < 0.6e6
    assert np.linalg.norm(scan.origins_m - origins[kept], axis=1).max() < 0.012


def test_the_switches(tmp_path: Path, poses: PoseTrack) -> None:
    world, origins, stamps, rings = revolution(30.0)
    path = write(tmp_path / "a.pcd.bin", world, rings)
    scan = read_revolution(path, STAMP, MOUNT, poses, LidarConfig(point_times="stamp"))
    assert set(scan.stamps_ns.tolist()) == {STAMP}
    np.testing.assert_allclose(scan.points_m, world, atol=1e-5)
    np.testing.assert_allclose(scan.origins_m - (pose(0.0) @ MOUNT)[:3, 3], 0, atol=1e-9)
    # Raw points are those that the sensor saw from its own place, all on a sphere.
    directions = world - origins
    rotations = np.stack([(pose((stamp - STAMP) * 1e-9) @ MOUNT)[:3, :3] for stamp in stamps.tolist()])
    raw = np.einsum("nji,nj->ni", rotations, directions)
    np.column_stack([raw, np.zeros(len(raw)), rings]).astype("<f4").tofile(path)
    scan = read_revolution(path, STAMP, MOUNT, poses, LidarConfig(motion_compensated=False))
    np.testing.assert_allclose(scan.points_m, world, atol=1e-3)
    slow = read_revolution(path, STAMP, MOUNT, poses, LidarConfig(rotation_s=0.1))
    assert slow.stamps_ns.min() == STAMP - 100_000_000


def test_the_own_vehicle_is_left_out(tmp_path: Path, poses: PoseTrack) -> None:
    ego = np.array([[0.9, 0.0, 1.5], [2.6, 0.5, 0.9], [-0.9, -0.9, 1.0], [3.6, 0.0, 0.5], [0.9, 1.6, 0.0], [9, 9, 0]])
    end = pose(0.0)
    path = write(tmp_path / "a.pcd.bin", ego @ end[:3, :3].T + end[:3, 3], np.zeros(len(ego), np.int64))
    config = LidarConfig(point_times="stamp")
    scan = read_revolution(path, STAMP, MOUNT, poses, config)
    np.testing.assert_allclose((scan.points_m - end[:3, 3]) @ end[:3, :3], ego[3:], atol=1e-5)


def test_the_recorded_revolution_is_motion_compensated(shared_dir: Path) -> None:
    """From the origins given here, each beam of the real sensor has one elevation; from a single place it has not."""
    folder = shared_dir / "data/nuscenes_sample"
    if not folder.is_dir():
        pytest.skip("no nuscenes_sample in ../shared/data")
    content = json.loads((folder / "calib.json").read_text())
    frame, mount = content["frames"][0], np.array(content["lidar"]["lidar_to_ego"])
    readings = sorted([*frame["cameras"].values(), frame["lidar"]], key=lambda item: item["timestamp_us"])
    track = PoseTrack(
        [item["timestamp_us"] * 1000 for item in readings], [np.array(item["ego_to_global"]) for item in readings]
    )
    stamp = frame["lidar"]["timestamp_us"] * 1000
    spread = {}
    for times in ("auto", "azimuth", "stamp"):
        config = LidarConfig.model_validate({"point_times": times})
        scan = read_revolution(folder / "lidar/000.pcd.bin", stamp, mount, track, config)
        sensors = track.at(scan.stamps_ns) @ mount
        local = np.einsum("nji,nj->ni", sensors[:, :3, :3], scan.points_m - scan.origins_m)
        elevation = np.degrees(np.arcsin(local[:, 2] / np.linalg.norm(local, axis=1)))
        spread[times] = max(float(elevation[scan.rings == ring].std()) for ring in range(32))
    assert spread["stamp"] > 0.5
    assert spread["auto"] < 0.025
    assert spread["azimuth"] < 0.025
    scan = read_revolution(folder / "lidar/000.pcd.bin", stamp, mount, track, LidarConfig())
    assert 25_800 < len(scan.points_m) < 26_400  # of 34 688 shots 4 400 have no return, 4 100 hit the own vehicle


@pytest.mark.parametrize("content", [b"", b"\0" * 20 * 5])
def test_few_points_are_no_error(tmp_path: Path, poses: PoseTrack, content: bytes) -> None:
    path = tmp_path / "a.pcd.bin"
    path.write_bytes(content)
    scan = read_revolution(path, STAMP, MOUNT, poses, LidarConfig())
    assert scan.points_m.shape == scan.origins_m.shape == (0, 3)


def test_damaged_files_are_named(tmp_path: Path, poses: PoseTrack) -> None:
    path = tmp_path / "a.pcd.bin"
    path.write_bytes(b"\0" * 21)
    with pytest.raises(DataError, match=r"a\.pcd\.bin: expected five float32"):
        read_revolution(path, STAMP, MOUNT, poses, LidarConfig())
    values = np.full((3, 5), 20.0, "<f4")
    values[0, 1], values[1, 4] = np.nan, 1e30
    values.tofile(path)
    scan = read_revolution(path, STAMP, MOUNT, poses, LidarConfig())
    assert scan.rings.tolist() == [-1, 20]
    with pytest.raises(DataError, match="cannot read"):
        read_revolution(tmp_path / "b.pcd.bin", STAMP, MOUNT, poses, LidarConfig())
