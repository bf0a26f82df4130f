"""A segment in the format of the Waymo Open Dataset v2 becomes the drive that it was written from."""

import importlib.util
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.waymo_drive import WaymoConfig, WaymoDrive
from distillnerf_core.errors import ConfigurationError, DataError, TransformError

pytest.importorskip("pyarrow", reason="the Waymo Open Dataset needs pyarrow (extra waymo)")
CAMERAS = ("FRONT_LEFT", "FRONT")


@pytest.fixture(scope="module")
def world() -> ModuleType:
    spec = importlib.util.spec_from_file_location("waymo_world", Path(__file__).with_name("waymo_world.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules["waymo_world"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = world.write(tmp_path_factory.mktemp("waymo"), world.tables())
    return folder


@pytest.fixture(scope="module")
def drive(world: Any, root: Path) -> WaymoDrive:
    return WaymoDrive(root, world.SEGMENT, WaymoConfig(cameras=CAMERAS, lasers=("TOP", "FRONT")))


@pytest.fixture
def changed(world: Any, tmp_path: Path) -> Callable[..., WaymoDrive]:
    """Opens a segment of which something was changed before it was written."""

    def open_changed(change: Callable[[dict[str, Any]], None], **config: Any) -> WaymoDrive:
        content = world.tables()
        change(content)
        config.setdefault("cameras", CAMERAS)
        return WaymoDrive(world.write(tmp_path, content), world.SEGMENT, WaymoConfig(**config))

    return open_changed


def test_images_have_the_pose_of_the_middle_of_their_shutter(world: Any, drive: WaymoDrive) -> None:
    assert isinstance(drive, Drive)
    assert drive.name == world.SEGMENT and drive.cameras == CAMERAS
    assert [(image.camera, image.sweep) for image in drive.images] == [(name, k) for k in range(3) for name in CAMERAS]
    middle = (world.TRIGGER_S + world.DONE_S) / 2
    from_opencv = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    for image in drive.images:
        assert image.stamp_ns == pytest.approx(world.START_US * 1000 + (0.1 * image.sweep + middle) * 1e9, abs=500)
        turn = world.upright(0, 0, 0, 0.8 * (image.camera == "FRONT_LEFT"))
        mounted = turn @ world.CAMERA_TO_VEHICLE @ from_opencv
        expected = world.vehicle_to_world(0.1 * image.sweep + middle) @ mounted
        np.testing.assert_allclose(image.camera_to_world, expected, atol=2e-4)
        pinhole = [[60.0, 0, 33.0], [0, 58.0, 23.0], [0, 0, 1]]
        np.testing.assert_array_equal(image.intrinsics, pinhole)
        assert (image.height, image.width) == world.SIZE
    assert drive.sweep_stamps_ns == tuple(image.stamp_ns for image in drive.images if image.camera == "FRONT_LEFT")
    assert drive.key_sweeps == (0,)


def test_the_front_camera_looks_ahead(drive: WaymoDrive, world: Any) -> None:
    pose = next(image.camera_to_world for image in drive.images if image.camera == "FRONT")
    ahead = world.vehicle_to_world(0.052)[:3, :3]
    np.testing.assert_allclose(pose[:3, 2], ahead[:, 0], atol=1e-3)
    np.testing.assert_allclose(pose[:3, 1], [0, 0, -1], atol=1e-9)


def test_pixels_are_freed_of_distortion(world: Any, drive: WaymoDrive) -> None:
    image = drive.images[-1]
    pixels = drive.read_image(image)
    rows, columns = np.mgrid[0 : image.height, 0 : image.width] + 0.5
    tangents = np.stack([(columns - 33.0) / 60.0, (rows - 23.0) / 58.0], axis=-1)
    expected = world.color(tangents.reshape(-1, 2)).reshape(pixels.shape)
    valid = drive.valid_pixels(image)
    assert valid is not None
    assert 0.75 < valid.mean() < 0.99
    # JPEG errs by up to four levels; half a pixel off is 1.6 on average.
    error = np.abs(pixels.astype(float) - expected)[valid]
    assert error.max() < 4.0 and error.mean() < 0.7
    assert np.abs(world.distorted_image().astype(float) - expected)[valid].max() > 8.0
    assert (pixels[~valid] == 0).all()


def test_points_of_the_wall_come_out_on_the_wall(world: Any, drive: WaymoDrive) -> None:
    for index in range(3):
        scan = drive.read_scan(index)
        assert scan.stamp_ns == drive.scan_stamps_ns[index] == world.START_US * 1000 + (index + 1) * 100_000_000
        assert len(scan.points_m) > 300
        np.testing.assert_allclose(scan.points_m[:, 0], world.WALL_X, atol=1e-4)
        top = scan.rings >= 0
        assert set(scan.rings[top].tolist()) == set(range(world.ROWS))
        assert (~top).sum() > 30
        seconds = (scan.stamps_ns - world.START_US * 1000) * 1e-9
        laser = np.array([1.4, 0.0, 2.2, 1.0])
        poses = np.stack([world.vehicle_to_world(float(second)) for second in seconds])
        np.testing.assert_allclose(scan.origins_m, (poses @ laser)[:, :3], atol=1e-4)
        assert np.ptp(seconds[top]) > 0.03 and np.ptp(seconds[~top]) == 0
        steep = scan.points_m[scan.rings == 0] - scan.origins_m[scan.rings == 0]
        inclination = np.arcsin(steep[:, 2] / np.linalg.norm(steep, axis=1))
        np.testing.assert_allclose(inclination, world.BEAMS[0], atol=1e-5)


def test_evenly_spaced_beams(world: Any, tmp_path: Path) -> None:
    drive = WaymoDrive(world.write(tmp_path, world.tables(uniform=True)), world.SEGMENT, WaymoConfig(cameras=CAMERAS))
    scan = drive.read_scan(1)
    assert (scan.rings >= 0).all()
    np.testing.assert_allclose(scan.points_m[:, 0], world.WALL_X, atol=1e-4)


def test_what_stands_stands_and_what_walks_walks(world: Any, drive: WaymoDrive) -> None:
    box, walker = drive.tracks
    assert (box.track, box.label, box.moves) == ("box", "vehicle", False)
    assert (walker.track, walker.label) == ("walker", "pedestrian")
    assert box.size_lwh_m == (4.5, 1.9, 1.6)
    np.testing.assert_allclose(box.box_to_world, [world.upright(*world.BOX, 0.7)] * 3, atol=1e-9)
    assert walker.stamps_ns.tolist() == [world.START_US * 1000, world.START_US * 1000 + 100_000_000]
    np.testing.assert_allclose(walker.box_to_world[:, 1, 3], [0.0, 0.1], atol=1e-9)


def test_the_vehicle_moves_on_its_circle(world: Any, drive: WaymoDrive) -> None:
    for seconds in (0.045, 0.1, 0.2, 0.245):
        pose = drive.ego_to_world(world.START_US * 1000 + round(seconds * 1e9))
        np.testing.assert_allclose(pose, world.vehicle_to_world(seconds), atol=6e-3)
    with pytest.raises(TransformError, match="after the newest"):
        drive.ego_to_world(world.START_US * 1000 + 5 * 10**9)


def test_a_drive_reads_in_other_processes(drive: WaymoDrive) -> None:
    drive.read_scan(0)
    copy = pickle.loads(pickle.dumps(drive))
    np.testing.assert_array_equal(copy.read_scan(1).points_m, drive.read_scan(1).points_m)
    np.testing.assert_array_equal(copy.read_image(copy.images[2]), drive.read_image(drive.images[2]))


def test_without_labels_and_lidar_there_are_images(changed: Callable[..., WaymoDrive]) -> None:
    def images_only(content: dict[str, Any]) -> None:
        for name in ("lidar", "lidar_pose", "lidar_calibration", "lidar_box"):
            del content[name]

    drive = changed(images_only)
    assert drive.tracks == () and drive.scan_stamps_ns == () and len(drive.images) == 6


@pytest.mark.parametrize(
    ("component", "words"),
    [
        ("camera_image", "camera_image.* is missing; download the component camera_image"),
        ("camera_calibration", "download the component camera_calibration"),
        ("vehicle_pose", "download the component vehicle_pose"),
        ("lidar_calibration", "download the component lidar_calibration"),
        ("lidar_pose", "download the component lidar_pose"),
    ],
)
def test_a_missing_component_is_named(changed: Callable[..., WaymoDrive], component: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        changed(lambda content: content.pop(component))


@pytest.mark.parametrize(
    ("component", "column", "value", "words"),
    [
        ("camera_calibration", "intrinsic.f_u", float("nan"), "camera FRONT: numbers are missing or not finite"),
        ("camera_calibration", "intrinsic.k1", None, "camera FRONT: numbers are missing"),
        ("camera_calibration", "width", 2**30, "cannot be"),
        ("camera_calibration", "extrinsic.transform", [2.0] * 16, "no rigid motion"),
        ("camera_image", "pose.transform", None, "expected transforms of 16 numbers"),
        ("camera_image", "pose_timestamp", 7.0, "with a pose at 7.000 s cannot be"),
        ("lidar_calibration", "beam_inclination.values", [9.0, 10.0], "inclinations from 9 to 10 rad"),
        ("lidar_box", "box.size.x", -1.0, "have no size"),
    ],
)
def test_nonsense_is_refused_by_name(
    changed: Callable[..., WaymoDrive], component: str, column: str, value: Any, words: str
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        table = content[component]
        table.columns[f"[{table.component}].{column}"][1][0] = value

    with pytest.raises(DataError, match=rf"{component}.*{words}"):
        changed(spoil)


@pytest.mark.parametrize(
    ("component", "column", "value", "words"),
    [
        ("lidar", "range_image_return1.shape", [8, 90, 5], "TOP at .*: 2880 numbers are no range image"),
        ("lidar", "range_image_return1.shape", [2**30, 2**30, 4], "are no range image"),
        ("lidar", "range_image_return1.values", None, "TOP at 1550000000000000 us: 0 numbers are no range image"),
        ("lidar_pose", "range_image_return1.values", [1.0] * 6, "6 numbers are no range image"),
    ],
)
def test_a_damaged_scan_is_refused_when_it_is_read(
    changed: Callable[..., WaymoDrive], component: str, column: str, value: Any, words: str
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        table = content[component]
        table.columns[f"[{table.component}].{column}"][1][0] = value

    drive = changed(spoil)
    with pytest.raises(DataError, match=words):
        drive.read_scan(0)
    np.testing.assert_allclose(drive.read_scan(1).points_m[:, 0], 40.0, atol=1e-4)


def test_a_damaged_image_is_refused_when_it_is_read(changed: Callable[..., WaymoDrive]) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["camera_image"].columns["[CameraImageComponent].image"][1][:2] = [b"\xff\xd8", None]

    drive = changed(spoil)
    for image in drive.images[-2:]:
        with pytest.raises(DataError, match=r"camera_image.*row [01]: "):
            drive.read_image(image)
    assert drive.read_image(drive.images[0]).shape == (48, 64, 3)


def test_files_and_names_that_are_none_are_refused(world: Any, root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leads out of"):
        WaymoDrive(root, "../../secret")
    with pytest.raises(ConfigurationError, match="cameras REAR: each once, of FRONT, FRONT_LEFT"):
        WaymoDrive(root, world.SEGMENT, WaymoConfig(cameras=("REAR",)))
    with pytest.raises(ConfigurationError, match="lasers BOTTOM"):
        WaymoDrive(root, world.SEGMENT, WaymoConfig(lasers=("BOTTOM",)))
    with pytest.raises(DataError, match="has no images of SIDE_LEFT"):
        WaymoDrive(root, world.SEGMENT, WaymoConfig(cameras=("SIDE_LEFT",)))
    world.write(tmp_path, world.tables())
    file = tmp_path / "vehicle_pose" / f"{world.SEGMENT}.parquet"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"vehicle_pose.* is damaged or no Parquet file"):
        WaymoDrive(tmp_path, world.SEGMENT)
    (tmp_path / "camera_image" / f"{world.SEGMENT}.parquet").replace(file)
    with pytest.raises(DataError, match=r"has no column \[VehiclePoseComponent\]\.world_from_vehicle\.transform"):
        WaymoDrive(tmp_path, world.SEGMENT)
