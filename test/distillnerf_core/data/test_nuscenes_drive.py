"""A scene of a download as a drive: its images, poses, boxes and revolutions, with files missing and tables damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nuscenes_download import OBJECT_SPEED_M_S, PHASES_US, SPEED_M_S, START_US, K, mount, write_download

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.nuscenes_drive import NuScenesDrive, NuScenesDriveConfig, read_scenes
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.rig import CAMERA_NAMES

SCENE = "scene-0061"


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nuscenes")
    write_download(root)
    return root


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_download(tmp_path, (SCENE,), glances=2)
    return tmp_path


def test_images_have_their_own_times_and_poses(download: Path) -> None:
    drive = NuScenesDrive.open(download, SCENE, config=NuScenesDriveConfig(world="global"))
    assert isinstance(drive, Drive)
    assert (drive.name, drive.cameras) == (SCENE, CAMERA_NAMES)
    assert len(drive.sweep_stamps_ns) == 24
    assert drive.key_sweeps == (0, 6, 12, 18)
    assert [image.camera for image in drive.images] == list(CAMERA_NAMES) * 24
    for number, image in enumerate(drive.images):
        sweep = number // 6
        stamp = START_US + PHASES_US[image.camera] + 500_000 * (sweep // 6) + round(sweep % 6 * 1e6 / 12)
        assert (image.sweep, image.stamp_ns) == (sweep, stamp * 1000)
        if image.camera == "CAM_FRONT":
            assert drive.sweep_stamps_ns[sweep] == image.stamp_ns
        place = list(PHASES_US).index(image.camera)
        x = mount(place)["translation"][0] + SPEED_M_S * (stamp - START_US) * 1e-6
        np.testing.assert_allclose(image.camera_to_world[:3, 3], [x, 0, 1.5], atol=1e-9)
        np.testing.assert_allclose(image.camera_to_world[1, 0], np.sin(0.3 * place), atol=1e-9)
        np.testing.assert_array_equal(image.intrinsics, K)
    pixels = drive.read_image(drive.images[4])
    assert pixels.shape == (36, 64, 3) and abs(float(pixels.mean()) - 80) < 2


def test_the_world_begins_at_the_first_image(own: Path) -> None:
    change(own, "ego_pose", rotation=[np.cos(0.5), 0, 0, np.sin(0.5)], translation=[600.0, 1600.0, 5.0])
    drive = NuScenesDrive.open(own, SCENE)
    first = min(drive.images, key=lambda image: image.stamp_ns)
    np.testing.assert_allclose(drive.ego_to_world(first.stamp_ns), np.eye(4), atol=1e-9)
    there = NuScenesDrive.open(own, SCENE, config=NuScenesDriveConfig(world="global"))
    for image, other in zip(drive.images, there.images, strict=True):
        moved = drive.world_from_global @ other.camera_to_world
        np.testing.assert_allclose(image.camera_to_world, moved, atol=1e-9)
    np.testing.assert_allclose(drive.tracks[0].box_to_world, drive.world_from_global @ there.tracks[0].box_to_world)
    np.testing.assert_array_equal(drive.world_from_global[2], [0, 0, 1, -5.0])  # up stays up


def test_boxes_are_tracks(download: Path) -> None:
    drive = NuScenesDrive.open(download, "scene-0103", config=NuScenesDriveConfig(world="global"))
    car, person = drive.tracks
    start_ns = (START_US + 10**8) * 1000
    assert (car.track, car.label, car.size_lwh_m) == ("scene-0103-car", "vehicle.car", (4.6, 1.9, 1.7))
    assert car.moves and not person.moves
    assert car.stamps_ns.tolist() == [start_ns + k * 500_000_000 for k in range(4)]
    assert person.stamps_ns.tolist() == [start_ns, start_ns + 500_000_000]
    pose = car.pose(start_ns + 750_000_000)
    assert pose is not None
    np.testing.assert_allclose(pose[:3, 3], [20.0, 0.75 * OBJECT_SPEED_M_S, 0.8], atol=1e-6)
    np.testing.assert_allclose(np.arctan2(pose[1, 0], pose[0, 0]), 0.15, atol=1e-6)


def test_tokens_name_the_samples(download: Path) -> None:
    drive = NuScenesDrive.open(download, SCENE)
    assert [drive.sample_token(sweep) for sweep in drive.key_sweeps] == [f"{SCENE}-{k}" for k in range(4)]
    assert drive.sample_stamp_ns(6) == (START_US + 500_000) * 1000
    for sweep in (1, 24, -1):
        with pytest.raises(DataError, match=f"sweep {sweep} is no sample"):
            drive.sample_token(sweep)


def test_many_scenes_are_read_at_once(download: Path) -> None:
    contents = read_scenes(download, ["scene-0103", SCENE])
    for content in contents:
        alone = NuScenesDrive.open(download, content.name)
        drive = NuScenesDrive(content)
        assert drive.sweep_stamps_ns == alone.sweep_stamps_ns
        assert [track.track for track in drive.tracks] == [track.track for track in alone.tracks]
    assert contents[0].readings[0].stamp_ns - contents[1].readings[0].stamp_ns == 10**11


def test_key_frames_alone(download: Path) -> None:
    drive = NuScenesDrive.open(download, SCENE, config=NuScenesDriveConfig(sweeps=False, cameras=("CAM_BACK",)))
    assert drive.cameras == ("CAM_BACK",)
    assert len(drive.images) == 4 and drive.key_sweeps == (0, 1, 2, 3)
    assert len(drive.scan_stamps_ns) == 4


def test_revolutions_are_placed_by_the_vehicle(download: Path) -> None:
    """The file has ten points at (5k, 5k+1, 5k+2) in the frame of the sensor."""
    drive = NuScenesDrive.open(download, SCENE, config=NuScenesDriveConfig(world="global"))
    assert len(drive.scan_stamps_ns) == 40
    scan = drive.read_scan(7)
    stamp_us = START_US + 3_000 + 350_000
    assert scan.stamp_ns == stamp_us * 1000
    turn, place = 0.3 * 6, mount(6)["translation"]
    local = np.arange(50.0).reshape(-1, 5)[:, :3]
    expected = np.column_stack(
        [
            np.cos(turn) * local[:, 0]
            - np.sin(turn) * local[:, 1]
            + place[0]
            + SPEED_M_S * (stamp_us - START_US) * 1e-6,
            np.sin(turn) * local[:, 0] + np.cos(turn) * local[:, 1],
            local[:, 2] + place[2],
        ]
    )
    np.testing.assert_allclose(scan.points_m, expected[-len(scan.points_m) :], atol=1e-5)
    assert len(scan.points_m) >= 9  # the first may lie on the own vehicle
    speeds = (scan.origins_m[:, 0] - place[0]) / ((scan.stamps_ns / 1000 - START_US) * 1e-6)
    np.testing.assert_allclose(speeds, SPEED_M_S, rtol=1e-3)


def test_missing_files_leave_sweeps_incomplete(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = sorted((own / "sweeps/CAM_BACK").glob("*.jpg"))[:2] + sorted((own / "samples/LIDAR_TOP").glob("*"))[:1]
    for path in gone:
        path.unlink()
    drive = NuScenesDrive.open(own, SCENE)
    assert "2 of 72 files are missing" in caplog.text
    assert len(drive.images) == 70 and len(drive.sweep_stamps_ns) == 12 and len(drive.scan_stamps_ns) == 19
    assert [len([image for image in drive.images if image.sweep == sweep]) for sweep in range(4)] == [6, 5, 5, 6]
    for path in own.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="no image of scene-0061"):
        NuScenesDrive.open(own, SCENE)


def test_damaged_images_are_named(own: Path) -> None:
    drive = NuScenesDrive.open(own, SCENE)
    path = sorted((own / "samples/CAM_FRONT").glob("*.jpg"))[0]
    image = next(image for image in drive.images if image.camera == "CAM_FRONT")
    path.write_bytes(b"\xff\xd8 no image")
    with pytest.raises(DataError, match="cannot read image"):
        drive.read_image(image)
    change(own, "sample_data", height=18)
    first = NuScenesDrive.open(own, SCENE).images[0]
    with pytest.raises(DataError, match=r"has \(36, 64\) pixels, the tables say \(18, 64\)"):
        drive.read_image(first)


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("sample_annotation", {"size": [1, 2]}, "sample_annotation.json: cannot use the row"),
        ("sample_annotation", {"size": [1, 2, -3]}, "no size"),
        ("sample_annotation", {"rotation": [0, 0, 0, 0]}, "no rotation"),
        ("sample_annotation", {"instance_token": "x"}, "no known instance"),
        ("instance", {"category_token": "x"}, "instance.json"),
        ("sample", {"timestamp": None}, "sample.json"),
        ("sample_data", {"height": 0}, "lack its intrinsics or its size"),
    ],
)
def test_rows_that_cannot_be_used_are_named(own: Path, table: str, values: dict[str, object], words: str) -> None:
    change(own, table, **values)
    with pytest.raises(DataError, match=words):
        assert NuScenesDrive.open(own, SCENE).images


def test_what_is_not_there_is_named(own: Path) -> None:
    with pytest.raises(DataError, match="no scene-1; it has scene-0061"):
        NuScenesDrive.open(own, "scene-1")
    with pytest.raises(DataError, match="no camera CAM_TOP; it has CAM_BACK, CAM_BACK_LEFT"):
        NuScenesDrive.open(own, SCENE, config=NuScenesDriveConfig(cameras=("CAM_TOP",)))
    with pytest.raises(DataError, match="no image of CAM_SIDE"):
        drive = NuScenesDrive.open(own, SCENE)
        drive.read_image(replace(drive.images[0], camera="CAM_SIDE"))
    (own / "v1.0-mini/sample.json").write_text("[]")
    with pytest.raises(DataError, match=r"sample\.json has no sample of scene-0061"):
        NuScenesDrive.open(own, SCENE)


def change(root: Path, table: str, **values: object) -> None:
    path = root / "v1.0-mini" / f"{table}.json"
    rows = json.loads(path.read_text())
    rows[0].update(values)
    path.write_text(json.dumps(rows))
