"""A recording becomes the drive that was recorded: poses, calibration, pixels, and points at their own times."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from distillnerf_core.data.bag_drive import BagDrive, BagDriveConfig
from distillnerf_core.data.bag_export import export_frames
from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.simulated_bag import START_NS, DriveConfig, record_drive
from distillnerf_core.errors import BagError, DataError, TransformError
from distillnerf_core.simulation.rig import CAMERA_NAMES, nuscenes_rig
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, render_camera
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_core.streams.stream_config import MotionConfig, StreamConfig

SIZE = SimulationConfig(height=36, width=64, supersampling=1, shadows=False)
CONFIG = DriveConfig(seed=9, seconds=1.0, rate_hz=2.0, simulation=SIZE, jpeg_quality=100)
START = 1_700_000_000_000_000_000
CAMERAS = ("front", "left")
K = np.array([[9.0, 0, 8.0], [0, 9.0, 6.0], [0, 0, 1]])
CAMERA_TO_BASE = np.array([[0.0, 0, 1, 1.5], [-1, 0, 0, 0.2], [0, -1, 0, 1.6], [0, 0, 0, 1]])
LIDAR_TO_BASE = np.array([[0.0, -1, 0, 0.9], [1, 0, 0, 0], [0, 0, 1, 1.8], [0, 0, 0, 1]])
BASE_TO_IMU = np.array([[0.0, 1, 0, 0.3], [-1, 0, 0, -0.1], [0, 0, 1, 0.2], [0, 0, 0, 1]])
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("t", "<u4"), ("ring", "<u2")])


def base_to_world(stamp_ns: int) -> np.ndarray:
    """Drives at 12 m/s and turns left with 0.4 rad/s."""
    seconds = (stamp_ns - START) * 1e-9
    angle, radius = 0.4 * seconds, 30.0
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:2, 3] = radius * np.sin(angle) + 100.0, radius * (1 - np.cos(angle)) - 40.0
    return pose


def wall_scan(bag: BagWriter, stamp_ns: int, topic: str = "/lidar", frame: str = "lidar") -> None:
    """A scan of 100 ms of the plane x = 150 m of the world, stamped at its beginning."""
    random = np.random.default_rng(stamp_ns % 1000)
    offsets = np.arange(200) * 500_000
    points = np.zeros(200, dtype=POINT)
    for index, offset in enumerate(offsets.tolist()):
        place = np.array([150.0, random.uniform(-60, 0), random.uniform(0, 4), 1.0])
        local = np.linalg.inv(base_to_world(stamp_ns + offset) @ LIDAR_TO_BASE) @ place
        points[index] = (*local[:3], offset, index % 4)
    points["x"][7] = np.nan
    bag.write_point_cloud(topic, stamp_ns, frame, points, log_ns=stamp_ns + 100_000_000)


def odometry(bag: BagWriter, stamp_ns: int, pose: np.ndarray, parent: str, child: str) -> Any:
    create = bag.messages.create
    placed = bag.messages.transforms([StampedTransform(parent, child, stamp_ns, pose)]).transforms[0].transform
    moved = placed.translation
    position = create("geometry_msgs/msg/Point", x=moved.x, y=moved.y, z=moved.z)
    at = create("geometry_msgs/msg/Pose", position=position, orientation=placed.rotation)
    zero = create("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
    twist = create("geometry_msgs/msg/Twist", linear=zero, angular=zero)
    return create(
        "nav_msgs/msg/Odometry",
        header=bag.messages.header(stamp_ns, parent),
        child_frame_id=child,
        pose=create("geometry_msgs/msg/PoseWithCovariance", pose=at, covariance=np.zeros(36)),
        twist=create("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
    )


def picture(number: int) -> np.ndarray:
    return np.full((12, 16, 3), (40 + number, 100, 200 - number), dtype=np.uint8)


def write_drive(
    path: Path, poses: str = "tf", change: Callable[[BagWriter], None] | None = None, sweeps: int = 4
) -> Path:
    """Two cameras at 10 Hz, the left one 20 ms late, and a LiDAR; poses are "tf", "odometry" or "none"."""
    with BagWriter(path) as bag:
        mounts = {"front": CAMERA_TO_BASE, "left": CAMERA_TO_BASE, "lidar": LIDAR_TO_BASE, "imu": BASE_TO_IMU}
        first = START - 100_000_000
        bag.write_tf([StampedTransform("base_link", *item) for item in _stamped(mounts, first)], first, static=True)
        for stamp in range(first, START + sweeps * 100_000_000 + 200_000_000, 10_000_000):
            pose = base_to_world(stamp)
            if poses == "tf":
                bag.write_tf([StampedTransform("odom", "base_link", stamp, pose)], stamp)
            elif poses == "odometry":
                message = odometry(bag, stamp, pose @ BASE_TO_IMU, "start", "imu")
                bag.write("/imu/odometry", "nav_msgs/msg/Odometry", message, stamp)
        for number in range(sweeps):
            for index, name in enumerate(CAMERAS):
                stamp = START + number * 100_000_000 + index * 20_000_000
                bag.write_camera_info(f"/{name}/camera_info", stamp, name, (12, 16), K, log_ns=stamp + 5_000_000)
                png = cv2.imencode(".png", picture(10 * number + index)[..., ::-1])[1].tobytes()
                bag.write_compressed_image(f"/{name}/image_rect_compressed", stamp, name, png, image_format="png")
            wall_scan(bag, START + number * 100_000_000)
        if change is not None:
            change(bag)
    return path


def _stamped(mounts: dict[str, np.ndarray], stamp: int) -> list[tuple[str, int, np.ndarray]]:
    return [(name, stamp, pose) for name, pose in mounts.items()]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> BagDrive:
    path = tmp_path_factory.mktemp("drive") / "simulated drive.mcap"
    assert len(list(record_drive(path, CONFIG))) == 2
    return BagDrive(path)


def test_a_simulated_recording_is_the_simulated_drive(simulated: BagDrive) -> None:
    assert isinstance(simulated, Drive)
    assert simulated.name == "simulated_drive"
    assert simulated.problems == () and simulated.tracks == ()
    assert simulated.sweep_stamps_ns == (START_NS + 7_600_000, START_NS + 507_600_000)
    assert simulated.key_sweeps == (0, 1) and len(simulated.images) == 12
    scene = sample_scene(CONFIG.seed)
    rig = nuscenes_rig(SIZE.height, SIZE.width)
    for image in simulated.images:
        index = CAMERA_NAMES.index(image.camera)
        expected = scene.path.pose((image.stamp_ns - START_NS) * 1e-9) @ rig.camera_to_ego[index].double()
        np.testing.assert_allclose(image.camera_to_world, expected.numpy(), atol=2e-4)
        np.testing.assert_allclose(image.intrinsics, rig.intrinsics[index].numpy(), rtol=1e-5)
        assert (image.height, image.width) == (SIZE.height, SIZE.width)
    last = simulated.images[-1]
    pixels, _ = render_camera(scene, CAMERA_NAMES.index(last.camera), last.stamp_ns - START_NS, SIZE)
    read = simulated.read_image(last)
    assert np.abs(read / 255.0 - pixels.permute(1, 2, 0).numpy()).mean() < 0.03


def test_simulated_points_lie_on_the_simulated_road(simulated: BagDrive) -> None:
    scan = simulated.read_scan(1)
    assert scan.stamp_ns == simulated.scan_stamps_ns[1] == START_NS + 542_600_000
    assert int(scan.rings.min()) == 0 and int(scan.rings.max()) == 31
    low = scan.points_m[scan.rings == 0]
    assert np.median(np.abs(low[:, 2])) < 0.01
    distance = np.linalg.norm(scan.points_m - scan.origins_m, axis=1)
    assert distance.max() < 100.01 and (scan.origins_m == scan.origins_m[0]).all()
    np.testing.assert_allclose(scan.origins_m[0, :2], simulated.ego_to_world(scan.stamp_ns)[:2, 3], atol=1.2)


@pytest.mark.parametrize(("name", "poses"), [("bag.mcap", "tf"), ("bag.db3", "tf"), ("bag", "odometry")])
def test_poses_and_the_points_of_a_wall(tmp_path: Path, poses: str, name: str) -> None:
    drive = BagDrive(write_drive(tmp_path / name, poses))
    assert drive.problems == ()
    assert drive.cameras == CAMERAS
    assert drive.sweep_stamps_ns == tuple(START + step * 100_000_000 for step in range(4))
    for image in drive.images:
        assert image.stamp_ns == START + image.sweep * 100_000_000 + (image.camera == "left") * 20_000_000
        np.testing.assert_allclose(image.camera_to_world, base_to_world(image.stamp_ns) @ CAMERA_TO_BASE, atol=1e-6)
        np.testing.assert_array_equal(image.intrinsics, K)
        expected = picture(10 * image.sweep + (image.camera == "left"))
        np.testing.assert_array_equal(drive.read_image(image), expected)
        assert drive.valid_pixels(image) is None
    stamp = START + 123_456_789
    np.testing.assert_allclose(drive.ego_to_world(stamp), base_to_world(stamp), atol=1e-3)
    for index in (3, 0):
        scan = drive.read_scan(index)
        assert len(scan.points_m) == 199
        np.testing.assert_allclose(scan.points_m[:, 0], 150.0, atol=2e-3)
        assert scan.stamp_ns == drive.scan_stamps_ns[index] == START + index * 100_000_000 + 99_500_000
        assert scan.stamps_ns[0] == START + index * 100_000_000
        moved = np.linalg.norm(scan.origins_m[-1] - scan.origins_m[0])
        assert moved == pytest.approx(1.19, abs=0.05)
        assert set(scan.rings.tolist()) == {0, 1, 2, 3}


def test_without_their_times_points_of_a_wall_are_smeared(tmp_path: Path) -> None:
    drive = BagDrive(write_drive(tmp_path / "bag.mcap"), BagDriveConfig(point_times="off"))
    scan = drive.read_scan(0)
    assert (scan.stamps_ns == START).all()
    assert np.abs(scan.points_m[:, 0] - 150.0).max() > 0.5


def test_a_drive_reads_in_other_processes(tmp_path: Path) -> None:
    drive = BagDrive(write_drive(tmp_path / "bag.mcap", sweeps=1))
    drive.read_scan(0)
    copy = pickle.loads(pickle.dumps(drive))
    np.testing.assert_array_equal(copy.read_image(copy.images[0]), drive.read_image(drive.images[0]))


def test_without_poses_the_error_says_what_to_record(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag.mcap", "none")
    words = r"no fixed frame.*record /tf with odom -> base_link.*nav_msgs/Odometry"
    with pytest.raises(DataError, match=words):
        BagDrive(path)


def test_odometry_of_a_stranger_is_no_pose_of_the_body(tmp_path: Path) -> None:
    def other(bag: BagWriter) -> None:
        bag.write("/odom", "nav_msgs/msg/Odometry", odometry(bag, START, np.eye(4), "odom", "drone"), START)

    path = write_drive(tmp_path / "bag.mcap", "none", other)
    with pytest.raises(DataError, match=r"/odom gives odom -> drone.*/tf_static with base_link -> drone"):
        BagDrive(path)


def test_a_fixed_frame_that_is_named_counts(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag.mcap")
    with pytest.raises(DataError, match="frame earth is not connected to base_link"):
        BagDrive(path, BagDriveConfig(stream=StreamConfig(motion=MotionConfig(fixed_frame="earth"))))
    inside = BagDrive(path, BagDriveConfig(stream=StreamConfig(motion=MotionConfig(fixed_frame="base_link"))))
    np.testing.assert_allclose(inside.images[0].camera_to_world, CAMERA_TO_BASE, atol=1e-9)


def test_bad_clouds_and_lost_scans_are_left_out_by_name(tmp_path: Path) -> None:
    def bad(bag: BagWriter) -> None:
        message = bag.messages.point_cloud(START, "lidar", np.zeros(1, dtype=POINT))
        message.width = 2**31
        bag.write("/lidar", "sensor_msgs/msg/PointCloud2", message, START)
        wall_scan(bag, START + 60_000_000_000)
        wall_scan(bag, START + 50_000_000, frame="nowhere")

    drive = BagDrive(write_drive(tmp_path / "bag.mcap", change=bad))
    assert len(drive.scan_stamps_ns) == 4
    refused, lost = drive.problems
    assert refused.startswith("/lidar: a cloud of 2147483648x1 points is above the limit")
    assert lost.startswith("2 scans have no pose and are left out: ")


def test_a_damaged_image_is_refused_when_it_is_read(tmp_path: Path) -> None:
    def bad(bag: BagWriter) -> None:
        for index, (name, data) in enumerate((("front", b"\xff\xd8nonsense"), ("left", b""))):
            stamp = START + 400_000_000 + index * 20_000_000
            bag.write_compressed_image(f"/{name}/image_rect_compressed", stamp, name, data)

    drive = BagDrive(write_drive(tmp_path / "bag.mcap", change=bad))
    image = next(item for item in drive.images if item.sweep == 4)
    with pytest.raises(DataError, match=rf"/{image.camera}/image_rect_compressed at {image.stamp_ns} ns"):
        drive.read_image(image)
    stranger = DriveImage("rear", 0, START, K, np.eye(4), 12, 16)
    with pytest.raises(DataError, match="no image of rear in sweep 0"):
        drive.read_image(stranger)


def test_time_that_jumps_back_and_cut_recordings_are_refused(tmp_path: Path) -> None:
    def again(bag: BagWriter) -> None:
        late = START + 600_000_000
        bag.write_compressed_image("/front/image_rect_compressed", START - 9 * 10**9, "front", b"", log_ns=late)

    with pytest.raises(DataError, match=r"time jumps back on /front/image_rect_compressed"):
        BagDrive(write_drive(tmp_path / "again.mcap", change=again))
    path = write_drive(tmp_path / "cut.mcap")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BagError, match="cut or damaged"):
        BagDrive(path)


def test_a_pose_far_from_the_recording_is_refused(tmp_path: Path) -> None:
    drive = BagDrive(write_drive(tmp_path / "bag.mcap", sweeps=1))
    with pytest.raises(TransformError, match="after the newest"):
        drive.ego_to_world(START + 60 * 10**9)


def test_without_calibration_there_are_no_images(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        bag.write_tf([StampedTransform("odom", "base_link", START, np.eye(4))], START)
        bag.write_tf([StampedTransform("base_link", "front", START, np.eye(4))], START, static=True)
        png = cv2.imencode(".png", picture(0))[1].tobytes()
        bag.write_compressed_image("/front/image_rect_compressed", START, "front", png, image_format="png")
    with pytest.raises(DataError, match="no image with calibration and pose: front: no usable CameraInfo"):
        BagDrive(path)


# Of DDAD the source has six poses of the vehicle, up to 1 cm apart, at one stamp; TF has one.
@pytest.mark.parametrize(("folder", "error"), [("nuscenes_sample", 1e-5), ("ddad_scene_02", 0.011)])
def test_a_real_recording_keeps_poses_calibration_and_points(
    shared_dir: Path, tmp_path: Path, folder: str, error: float
) -> None:
    source = shared_dir / "data" / folder
    calibration = json.loads((source / "calib.json").read_text())
    bag = tmp_path / "real.mcap"
    export_frames(source, bag, repeat=1)
    drive = BagDrive(bag)
    assert drive.problems == ()
    frames = calibration["frames"]
    assert len(drive.images) == sum(len(frame["cameras"]) for frame in frames)
    assert len(drive.scan_stamps_ns) == len(frames)
    for image in drive.images:
        camera, reading = calibration["cameras"][image.camera], frames[image.sweep]["cameras"][image.camera]
        assert image.stamp_ns == round(reading["timestamp_us"]) * 1000
        expected = np.array(reading["ego_to_global"]) @ np.array(camera["cam_to_ego"])
        np.testing.assert_allclose(image.camera_to_world, expected, atol=error)
        np.testing.assert_allclose(image.intrinsics, camera["K"], rtol=1e-9)
    first = drive.images[0]
    stored = cv2.cvtColor(cv2.imread(str(source / frames[0]["cameras"][first.camera]["file"])), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(drive.read_image(first), stored)
    for index, frame in enumerate(frames):
        scan = drive.read_scan(index)
        file = source / frame["lidar"]["file"]
        points = np.load(file)["xyzi"] if file.suffix == ".npz" else np.fromfile(file, "<f4").reshape(-1, 5)
        local = points[:, :3].astype(np.float64)
        local = local[np.isfinite(local).all(1) & local.any(1)]
        pose = np.array(frame["lidar"]["ego_to_global"]) @ np.array(calibration["lidar"]["lidar_to_ego"])
        np.testing.assert_allclose(scan.points_m, local @ pose[:3, :3].T + pose[:3, 3], atol=1e-4)
