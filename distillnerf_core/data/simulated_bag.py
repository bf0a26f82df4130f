"""A drive through a simulated street as a rosbag2 recording in the layout of WATonomous nuscenes_to_ros2bag."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.lidar import LidarConfig, simulate_lidar
from distillnerf_core.simulation.rig import CAMERA_NAMES, LIDAR_NAME, nuscenes_lidar_to_ego, nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, exposure_ns, render_camera
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.stamped_transform import StampedTransform

START_NS = 1_700_000_000_000_000_000
"""Time in the recording at which a street's own clock is zero."""
_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("ring", "<u2")])


class DriveConfig(Config):
    """A recorded drive.

    Attributes:
        seed: Number of the street.
        seconds: Length of the drive.
        rate_hz: Sweeps of the six cameras each second.
        pose_rate_hz: Poses of the vehicle each second, in /tf and /odometry.
        lidar: Whether to record the LiDAR, one revolution a sweep.
        jpeg_quality: Quality of the images.
        simulation: Image size and quality.
        effects: Faults of the cameras.
        style: How the street is made.
    """

    seed: int = pydantic.Field(default=7, ge=0)
    seconds: float = pydantic.Field(default=4.0, gt=0, le=60)
    rate_hz: float = pydantic.Field(default=2.0, gt=0, le=12)
    pose_rate_hz: float = pydantic.Field(default=50.0, ge=1, le=1000)
    lidar: bool = True
    jpeg_quality: int = pydantic.Field(default=92, ge=1, le=100)
    simulation: SimulationConfig = SimulationConfig(height=360, width=640, supersampling=1)
    effects: CameraEffects = CameraEffects()
    style: StreetStyle = StreetStyle()


@dataclass(frozen=True, order=True)
class _Event:
    stamp_ns: int
    order: int
    sensor: str


def record_drive(path: Path, config: DriveConfig, overwrite: bool = False) -> Iterator[int]:
    """Writes the recording; yields the time of each sweep's last image, in nanoseconds, as it is written.

    Topics `/<camera>/image_rect_compressed`, `/<camera>/camera_info`, `/LIDAR_TOP`, `/tf` (map -> base_link),
    `/tf_static` (base_link -> sensors) and `/odometry`. The recording appears only when the iterator is exhausted.

    Args:
        path: Bag to write: .mcap, .db3, or a rosbag2 folder.
        config: The drive.
        overwrite: Replace an existing recording.

    Raises:
        BagError: If the bag exists already or cannot be written.
    """
    scene = sample_scene(config.seed, config.style)
    with BagWriter(path, overwrite=overwrite) as bag:
        _write_mounts(bag)
        for event in _events(config):
            if event.sensor == "ego":
                _write_pose(bag, scene, event.stamp_ns)
            elif event.sensor == LIDAR_NAME:
                _write_lidar(bag, scene, event.stamp_ns)
            else:
                _write_image(bag, scene, event.sensor, event.stamp_ns, config)
                if event.sensor == CAMERA_NAMES[-1]:
                    yield event.stamp_ns


def sweep_count(config: DriveConfig) -> int:
    """Returns how many sweeps a drive has."""
    return max(1, round(config.seconds * config.rate_hz))


def _events(config: DriveConfig) -> list[_Event]:
    """Returns everything that is recorded, in order of time; poses surround the images on both sides."""
    margin = 0.2
    ticks = np.arange(-margin, config.seconds + margin, 1.0 / config.pose_rate_hz)
    events = [_Event(START_NS + round(tick * 1e9), 0, "ego") for tick in ticks.tolist()]
    for sweep in range(sweep_count(config)):
        start = START_NS + round(sweep * 1e9 / config.rate_hz)
        stamps = exposure_ns(start)
        events += [_Event(stamp, 1, name) for name, stamp in zip(CAMERA_NAMES, stamps, strict=True)]
        if config.lidar:
            events.append(_Event(stamps[-1], 2, LIDAR_NAME))
    return sorted(events)


def _write_mounts(bag: BagWriter) -> None:
    poses = nuscenes_rig().camera_to_ego.double().numpy()
    mounts = dict(zip(CAMERA_NAMES, poses, strict=True))
    mounts[LIDAR_NAME] = nuscenes_lidar_to_ego().double().numpy()
    stamp_ns = START_NS - 200_000_000
    transforms = [StampedTransform("base_link", name, stamp_ns, pose) for name, pose in mounts.items()]
    bag.write_tf(transforms, stamp_ns, static=True)


def _write_pose(bag: BagWriter, scene: StreetScene, stamp_ns: int) -> None:
    seconds = (stamp_ns - START_NS) * 1e-9
    pose = scene.path.pose(seconds).numpy()
    transform = StampedTransform("map", "base_link", stamp_ns, pose)
    bag.write_tf([transform], stamp_ns)
    create = bag.messages.create
    placed = bag.messages.transforms([transform]).transforms[0].transform
    position = create("geometry_msgs/msg/Point", x=placed.translation.x, y=placed.translation.y, z=placed.translation.z)
    at = create("geometry_msgs/msg/Pose", position=position, orientation=placed.rotation)
    speed = create("geometry_msgs/msg/Vector3", x=scene.path.speed(seconds), y=0.0, z=0.0)
    turn = create("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=scene.path.yaw_rate(seconds))
    twist = create("geometry_msgs/msg/Twist", linear=speed, angular=turn)
    certain = np.zeros(36)
    message = create(
        "nav_msgs/msg/Odometry",
        header=bag.messages.header(stamp_ns, "map"),
        child_frame_id="base_link",
        pose=create("geometry_msgs/msg/PoseWithCovariance", pose=at, covariance=certain),
        twist=create("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=certain),
    )
    bag.write("/odometry", "nav_msgs/msg/Odometry", message, stamp_ns)


def _write_image(bag: BagWriter, scene: StreetScene, name: str, stamp_ns: int, config: DriveConfig) -> None:
    camera, size = CAMERA_NAMES.index(name), config.simulation
    image, _ = render_camera(scene, camera, stamp_ns - START_NS, size)
    intrinsics = nuscenes_rig(size.height, size.width).intrinsics[camera].double().numpy()
    pixels: NDArray[np.uint8] = (image * 255.0).round().byte().permute(1, 2, 0).cpu().numpy()
    pixels = config.effects.apply(pixels, config.seed, camera, stamp_ns)
    encoded, jpeg = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])
    if not encoded:
        raise DataError(f"{name}: the image of {size.height} x {size.width} pixels could not be compressed")
    bag.write_camera_info(f"/{name}/camera_info", stamp_ns, name, (size.height, size.width), intrinsics)
    bag.write_compressed_image(f"/{name}/image_rect_compressed", stamp_ns, name, jpeg.tobytes())


def _write_lidar(bag: BagWriter, scene: StreetScene, stamp_ns: int) -> None:
    scan = simulate_lidar(scene, stamp_ns - START_NS, LidarConfig())
    points = np.zeros(len(scan.points_m), dtype=_POINT)
    for axis, name in enumerate("xyz"):
        points[name] = scan.points_m[:, axis].cpu().numpy()
    points["ring"] = scan.rings.cpu().numpy()
    bag.write_point_cloud(f"/{LIDAR_NAME}", stamp_ns, LIDAR_NAME, points)
