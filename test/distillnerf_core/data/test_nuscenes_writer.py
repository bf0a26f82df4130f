"""What is written in nuScenes format is read back the same, by our reader and by the official devkit."""

import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from moving_drive import LIDAR_PLACE, MovingDrive, box

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.nuscenes_drive import NuScenesDrive, NuScenesDriveConfig
from distillnerf_core.data.nuscenes_lidar import LidarConfig
from distillnerf_core.data.nuscenes_rows import token_of
from distillnerf_core.data.nuscenes_writer import NuScenesWriteConfig, write_nuscenes, written_scenes
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.lidar import LidarConfig as SimulatedLidarConfig
from distillnerf_core.simulation.simulator import SimulationConfig

logger = logging.getLogger(__name__)

GLOBAL = NuScenesDriveConfig(world="global")
ALL = NuScenesWriteConfig(seen_only=False)
TRACKS = (
    box("car", "a", (520.0, -40.0, 4.0), 3.0, 1.2),
    box("pedestrian", "b", (490.0, -38.0, 4.0), 0.0, 0.6),
    box("vehicle.motorcycle", "c", (530.0, -40.0, 4.0), 0.0, 1.2),
    box("dragon", "d", (500.0, 300.0, 4.0), 0.0, 1.2),
)


@pytest.fixture(scope="module")
def street() -> SimulatedDrive:
    size = SimulationConfig(height=18, width=32, supersampling=1)
    lidar = SimulatedLidarConfig(azimuth_steps=180)
    config = SimulatedDriveConfig(seed=5, seconds=0.5, rate_hz=6.0, key_rate_hz=3.0, lidar_rate_hz=10.0)
    return SimulatedDrive(config.model_copy(update={"simulation": size, "lidar": lidar}))


@pytest.fixture(scope="module")
def written(street: SimulatedDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("written")
    write_nuscenes(street, root, NuScenesWriteConfig(location="simulated", rotation_s=0.1))
    write_nuscenes(MovingDrive(tracks=TRACKS), root, ALL)
    return root


def table(root: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((root / f"v1.0-mini/{name}.json").read_text())
    return rows


def assert_same_images(drive: Drive, again: Drive) -> None:
    assert again.cameras == drive.cameras
    assert again.key_sweeps == drive.key_sweeps
    assert len(again.images) == len(drive.images)
    for image, other in zip(drive.images, again.images, strict=True):
        assert (other.camera, other.sweep) == (image.camera, image.sweep)
        assert (other.height, other.width) == (image.height, image.width)
        assert abs(other.stamp_ns - image.stamp_ns) < 1000
        np.testing.assert_allclose(other.intrinsics, image.intrinsics, rtol=1e-12)
        np.testing.assert_allclose(other.camera_to_world, image.camera_to_world, atol=1e-5)
        np.testing.assert_allclose(
            again.ego_to_world(image.stamp_ns), drive.ego_to_world(image.stamp_ns), atol=2e-5
        )  # 1 us at 10 m/s
    for image, other in zip(drive.images[::7], again.images[::7], strict=True):
        packed = cv2.imencode(".jpg", drive.read_image(image)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        assert unpacked is not None
        np.testing.assert_array_equal(again.read_image(other), unpacked[..., ::-1])


def assert_same_scans(drive: Drive, again: Drive, late_ns: float) -> None:
    assert len(again.scan_stamps_ns) == len(drive.scan_stamps_ns)
    for index in (0, len(drive.scan_stamps_ns) - 1):
        scan, other = drive.read_scan(index), again.read_scan(index)
        order = np.lexsort((scan.rings, scan.stamps_ns))
        np.testing.assert_allclose(other.points_m, scan.points_m[order], atol=1e-4)
        np.testing.assert_array_equal(other.rings, scan.rings[order])
        assert np.abs(other.stamps_ns - scan.stamps_ns[order]).max() < late_ns
        np.testing.assert_allclose(other.origins_m, scan.origins_m[order], atol=20e-9 * late_ns + 1e-4)


def test_a_simulated_street_comes_back(street: SimulatedDrive, written: Path) -> None:
    config = GLOBAL.model_copy(update={"lidar": LidarConfig(rotation_s=0.1, closest_m=0.3, own_vehicle_m=(0, 0, 0, 0))})
    again = NuScenesDrive.open(written, street.name, config=config)
    assert_same_images(street, again)
    assert_same_scans(street, again, late_ns=600_000)  # a column of the simulated LiDAR
    stamps = [again.sample_stamp_ns(sweep) for sweep in again.key_sweeps]
    tracks = {track.track: track for track in again.tracks}
    kept = [track for track in street.tracks if token(street.name, track.track) in tracks]
    assert 3 <= len(kept) == len(tracks) < len(street.tracks)
    for track in kept:
        other = tracks[token(street.name, track.track)]
        np.testing.assert_allclose(other.size_lwh_m, track.size_lwh_m, rtol=1e-12)
        assert set(other.stamps_ns.tolist()) <= set(stamps)
        for stamp, pose in zip(other.stamps_ns.tolist(), other.box_to_world, strict=True):
            expected = track.pose(stamp)
            assert expected is not None
            np.testing.assert_allclose(pose, expected, atol=1e-4)


def token(scene: str, track: str) -> str:
    return token_of("instance", scene, track)


def test_any_drive_comes_back(written: Path) -> None:
    drive = MovingDrive(tracks=TRACKS)
    again = NuScenesDrive.open(written, "moving", config=GLOBAL)
    assert_same_images(drive, again)
    assert_same_scans(drive, again, late_ns=1_000)
    found = {track.track: track for track in again.tracks}
    labels = ("vehicle.car", "human.pedestrian.adult", "vehicle.motorcycle", "dragon")
    for track, label in zip(TRACKS, labels, strict=True):
        other = found[token("moving", track.track)]
        assert (other.label, other.size_lwh_m) == (label, track.size_lwh_m)
        for stamp, pose in zip(other.stamps_ns.tolist(), other.box_to_world, strict=True):
            expected = track.pose(stamp)
            assert expected is not None
            np.testing.assert_allclose(pose, expected, atol=1e-6)
    counts = [len(found[token("moving", track.track)].stamps_ns) for track in TRACKS]
    assert counts == [3, 2, 3, 3]  # the pedestrian is labelled for 0.6 s, the samples are at 0.04, 0.54 and 1.04 s


def test_the_lidar_stands_where_its_points_come_from(written: Path) -> None:
    sensor = next(row["token"] for row in table(written, "sensor") if row["channel"] == "LIDAR_TOP")
    mounts = [row for row in table(written, "calibrated_sensor") if row["sensor_token"] == sensor]
    assert len(mounts) == 2
    assert any(np.allclose(row["translation"], LIDAR_PLACE, atol=1e-6) for row in mounts)
    for row in mounts:
        np.testing.assert_allclose(np.abs(row["rotation"]), [np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=1e-9)


def test_attributes_and_counts(written: Path) -> None:
    names = {row["token"]: row["name"] for row in table(written, "attribute")}
    rows = [row for row in table(written, "sample_annotation") if row["instance_token"] == token("moving", "a")]
    assert [names[row["attribute_tokens"][0]] for row in rows] == ["vehicle.moving"] * 3
    drive = MovingDrive()
    for row, sample in zip(rows, (0, 10, 20), strict=True):
        pose = TRACKS[0].pose(drive.scan_stamps_ns[sample])
        assert pose is not None
        local = np.abs((drive.read_scan(sample).points_m - pose[:3, 3]) @ pose[:3, :3])
        assert row["num_lidar_pts"] == int((local <= np.array(TRACKS[0].size_lwh_m) / 2).all(axis=1).sum())
        assert row["size"] == [1.8, 4.0, 1.5]
    by_track = {track.track: token("moving", track.track) for track in TRACKS}
    kinds = {row["instance_token"]: row["attribute_tokens"] for row in table(written, "sample_annotation")}
    assert [[names[one] for one in kinds[by_track[key]]] for key in "bcd"] == [
        ["pedestrian.standing"],
        ["cycle.without_rider"],
        [],
    ]


def test_tokens_are_the_same_in_every_run(written: Path, tmp_path: Path) -> None:
    write_nuscenes(MovingDrive(tracks=TRACKS), tmp_path, ALL)
    for name in ("sample", "sample_data", "sample_annotation", "calibrated_sensor", "ego_pose"):
        tokens = {row["token"]: row for row in table(written, name)}
        for row in table(tmp_path, name):
            assert tokens[row["token"]] == row


def test_what_is_between_samples_belongs_to_the_next(written: Path) -> None:
    stamps = {row["token"]: row["timestamp"] for row in table(written, "sample")}
    channels = set()
    for row in table(written, "sample_data"):
        assert row["filename"].startswith("samples" if row["is_key_frame"] else "sweeps")
        assert (written / row["filename"]).is_file()
        channels.add(row["filename"].split("/")[1])
        later = [stamp for stamp in stamps.values() if stamp >= row["timestamp"]]
        if not row["is_key_frame"] and stamps[row["sample_token"]] >= row["timestamp"]:
            assert stamps[row["sample_token"]] in later
            assert stamps[row["sample_token"]] - row["timestamp"] <= 500_000
    assert {"CAM_FRONT", "rear_cam", "LIDAR_TOP"} <= channels


def test_lost_images_and_no_lidar(tmp_path: Path) -> None:
    lost = (("CAM_FRONT", 0), ("rear cam", 3))
    drive = MovingDrive(lost=lost, lidar=False, tracks=TRACKS)
    done = write_nuscenes(drive, tmp_path)
    assert (done.samples, done.images, done.revolutions) == (3, 20, 0)
    again = NuScenesDrive.open(tmp_path, "moving", config=GLOBAL)
    assert_same_images(drive, again)
    assert again.scan_stamps_ns == ()
    # Without LiDAR an object counts as seen where a camera may see it: not the one 300 m to the left.
    assert {track.label for track in again.tracks} == {"vehicle.car", "human.pedestrian.adult", "vehicle.motorcycle"}


def test_unknown_rings_and_shaking_cameras(tmp_path: Path) -> None:
    drive = MovingDrive(rings=False, shift_m=0.01)
    write_nuscenes(drive, tmp_path)
    again = NuScenesDrive.open(tmp_path, "moving", config=GLOBAL)
    assert_same_images(drive, again)
    assert_same_scans(drive, again, late_ns=4e6)  # from azimuths as far as 3 m: 0.5 m of motion is 10 degrees, 1.4 ms
    assert len(table(tmp_path, "calibrated_sensor")) == 2 * 11 + 1


def test_a_scene_is_written_once(written: Path) -> None:
    assert written_scenes(written) == ("moving", "street_000005")
    assert written_scenes(written / "nowhere") == ()
    with pytest.raises(DataError, match="has a scene moving already"):
        write_nuscenes(MovingDrive(), written)
    with pytest.raises(DataError, match="no key sweep"):
        write_nuscenes(MovingDrive(name="other", sweeps=0), written)


def test_an_unfinished_scene_leaves_the_tables_alone(written: Path, tmp_path: Path) -> None:
    class Breaks(MovingDrive):
        def read_scan(self, index: int) -> Any:
            raise DataError("the disk is gone")

    write_nuscenes(MovingDrive(), tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "v1.0-mini").iterdir()}
    with pytest.raises(DataError, match="the disk is gone"):
        write_nuscenes(Breaks(name="second"), tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "v1.0-mini").iterdir()} == before
    with pytest.raises(DataError, match="cannot write moving"):
        (tmp_path / "file").write_text("")
        write_nuscenes(MovingDrive(), tmp_path / "file")


def test_the_official_devkit_reads_the_same(street: SimulatedDrive, written: Path) -> None:
    devkit = pytest.importorskip("nuscenes.nuscenes", reason="nuscenes-devkit is not installed")
    classes = pytest.importorskip("nuscenes.utils.data_classes")
    data = devkit.NuScenes(version="v1.0-mini", dataroot=str(written), verbose=False)
    assert [scene["name"] for scene in data.scene] == ["street_000005", "moving"]
    boxes_compared = images_compared = points_compared = 0
    drives: dict[str, Drive] = {"street_000005": street, "moving": MovingDrive(tracks=TRACKS)}
    for scene in data.scene:
        drive = drives[scene["name"]]
        tracks = {token(drive.name, track.track): track for track in drive.tracks}
        for camera in drive.cameras:
            sample = data.get("sample", scene["first_sample_token"])
            record = data.get("sample_data", sample["data"][camera])
            for image in [image for image in drive.images if image.camera == camera]:
                mount = data.get("calibrated_sensor", record["calibrated_sensor_token"])
                path, boxes, intrinsics = data.get_sample_data(record["token"], box_vis_level=devkit.BoxVisibility.NONE)
                np.testing.assert_allclose(intrinsics, image.intrinsics)
                placed = rigid(devkit, data.get("ego_pose", record["ego_pose_token"])) @ rigid(devkit, mount)
                np.testing.assert_allclose(placed, image.camera_to_world, atol=1e-5)
                picture = cv2.imread(path)
                assert picture is not None and picture.shape == (image.height, image.width, 3)
                for found in boxes if record["is_key_frame"] else []:
                    annotation = data.get("sample_annotation", found.token)
                    stamp = data.get("sample", annotation["sample_token"])["timestamp"] * 1000
                    track = tracks[annotation["instance_token"]]
                    pose = track.pose(stamp)
                    assert pose is not None
                    local = np.linalg.inv(image.camera_to_world) @ pose
                    np.testing.assert_allclose(found.center, local[:3, 3], atol=1e-4)
                    np.testing.assert_allclose(found.rotation_matrix, local[:3, :3], atol=1e-5)
                    np.testing.assert_allclose(found.wlh, np.array(track.size_lwh_m)[[1, 0, 2]])
                    boxes_compared += 1
                images_compared += 1
                record = data.get("sample_data", record["next"]) if record["next"] else None
            assert record is None
        sample = data.get("sample", scene["first_sample_token"])
        lidar = data.get("sample_data", sample["data"]["LIDAR_TOP"])
        for index in range(len(drive.scan_stamps_ns)):
            assert lidar["timestamp"] == drive.scan_stamps_ns[index] // 1000
            cloud = classes.LidarPointCloud.from_file(str(written / lidar["filename"]))
            cloud.transform(rigid(devkit, data.get("calibrated_sensor", lidar["calibrated_sensor_token"])))
            cloud.transform(rigid(devkit, data.get("ego_pose", lidar["ego_pose_token"])))
            expected = drive.read_scan(index)
            order = np.lexsort((expected.rings, expected.stamps_ns))
            there = cloud.points[:3].T[:, None]
            distances = np.linalg.norm(there - expected.points_m[order][None, ::50], axis=-1).min(axis=0)
            assert distances.max() < 1e-3  # the devkit computes in float32, 500 m from the origin
            points_compared += len(distances)
            lidar = data.get("sample_data", lidar["next"]) if lidar["next"] else None
        assert lidar is None
    logger.info("%d images, %d boxes, %d points agree", images_compared, boxes_compared, points_compared)
    assert images_compared == len(street.images) + 22
    assert boxes_compared > 300 and points_compared > 500
    moving = [row for row in data.sample_annotation if row["instance_token"] == token("moving", "a")]
    np.testing.assert_allclose(data.box_velocity(moving[1]["token"]), [0, 3, 0], atol=1e-6)
    assert data.map[0]["mask"].is_on_mask(0.0, 0.0).tolist() in (False, [False])
    assert {data.get("visibility", row["visibility_token"])["level"] for row in data.sample_annotation} >= {"v0-40"}


def rigid(devkit: Any, row: dict[str, Any]) -> Any:
    return devkit.transform_matrix(row["translation"], devkit.Quaternion(row["rotation"]))
