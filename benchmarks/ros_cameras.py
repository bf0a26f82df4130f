"""Six cameras of a moving vehicle on real topics, with faults where asked for; a process of its own.

    python -m benchmarks.ros_cameras --seconds 20 [--rate 12] [--drop 0.04] [--jitter-ms 30] [--tf-gaps]
                                     [--loop-every 60]

Images are JPEGs of 1600x900 with the phases of the nuScenes rig; every output of the node has a listener here.
"""

import argparse
import json
import time
from array import array
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
import rclpy
from distillnerf_ros.msg import FrameStatus
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage

from distillnerf_core.geometry.transforms import quaternion_from_matrix
from distillnerf_core.simulation.rig import CAMERA_NAMES, PHASES_MS, nuscenes_rig
from distillnerf_ros.conversions.fields import byte_array, header
from distillnerf_ros.conversions.images import camera_info
from distillnerf_ros.qos import static_qos

SPEED_M_S = 10.0
CONNECT_S = 120.0
TF_PERIOD_NS = 20_000_000
GAP_S, GAP_EVERY_S = 3.0, 15.0
"""Length of a gap in the transforms, and how often there is one."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong.

    Attributes:
        drop: Share of images that are never sent.
        jitter_ms: Stamps are off by up to this.
        tf_gaps: Whether transforms are missing for seconds.
        loop_every_s: Time after which stamps begin anew; 0: never.
    """

    drop: float = 0.0
    jitter_ms: float = 0.0
    tf_gaps: bool = False
    loop_every_s: float = 0.0


class Cameras:
    """Publishes images, calibrations and transforms, and listens to what the node makes of them."""

    def __init__(self, node: Node, faults: Faults, seed: int = 0) -> None:
        self._faults = faults
        self._random = np.random.default_rng(seed)
        self._jpegs = [_jpeg(self._random) for _ in CAMERA_NAMES]
        rig = nuscenes_rig()
        self._intrinsics = rig.intrinsics.double().numpy()
        self._mounts = rig.camera_to_ego.double().numpy()
        self._images = [node.create_publisher(CompressedImage, _image_topic(name), 10) for name in CAMERA_NAMES]
        self._infos = [node.create_publisher(CameraInfo, f"/{name}/camera_info", 10) for name in CAMERA_NAMES]
        self._tf = node.create_publisher(TFMessage, "/tf", 100)
        self._static = node.create_publisher(TFMessage, "/tf_static", static_qos())
        self.sent: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        outputs = {"/distillnerf/occupancy/points": PointCloud2, "/distillnerf/status": FrameStatus}
        outputs |= {f"/distillnerf/{name}/depth/image": Image for name in CAMERA_NAMES}
        for topic, kind in outputs.items():
            node.create_subscription(kind, topic, lambda _, name=topic: self.heard.update([name]), 10)

    @property
    def connected(self) -> bool:
        """Whether the node listens to every camera."""
        return all(publisher.get_subscription_count() for publisher in self._images)

    def publish_mounts(self) -> None:
        """Publishes the static transforms."""
        pairs = zip(CAMERA_NAMES, self._mounts, strict=True)
        self._static.publish(TFMessage(transforms=[_transform("base_link", name, pose, 0) for name, pose in pairs]))

    def publish_image(self, camera: int, stamp_ns: int) -> None:
        """Publishes one image with its calibration, unless it is dropped."""
        name = CAMERA_NAMES[camera]
        if self._random.random() < self._faults.drop:
            self.sent["dropped on purpose"] += 1
            return
        jitter_ms = self._random.uniform(-1, 1) * self._faults.jitter_ms
        stamped = header(stamp_ns + round(jitter_ms * 1e6), name)
        self._infos[camera].publish(camera_info(self._intrinsics[camera], 900, 1600, stamped))
        self._images[camera].publish(CompressedImage(header=stamped, format="jpeg", data=self._jpegs[camera]))
        self.sent["images"] += 1

    def publish_pose(self, stamp_ns: int, elapsed_s: float) -> None:
        """Publishes where the vehicle is."""
        if self._faults.tf_gaps and elapsed_s % GAP_EVERY_S > GAP_EVERY_S - GAP_S:
            return
        pose = np.eye(4)
        pose[0, 3] = SPEED_M_S * elapsed_s
        self._tf.publish(TFMessage(transforms=[_transform("map", "base_link", pose, stamp_ns)]))


def drive(executor: SingleThreadedExecutor, cameras: Cameras, rate_hz: float, seconds: float, faults: Faults) -> None:
    """Plays the drive in real time, handling what the node sends in between."""
    start, first_ns = time.monotonic(), time.time_ns()
    period_s = faults.loop_every_s or seconds + 1.0
    events = _schedule(rate_hz, min(period_s, seconds))
    loop_s = 0.0
    while loop_s < seconds:
        for due_s, camera in events:
            if loop_s + due_s > seconds:
                return
            while (wait_s := start + loop_s + due_s - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=min(wait_s, 0.01))
            stamp_ns = first_ns + round(due_s * 1e9)
            if camera < 0:
                cameras.publish_pose(stamp_ns, due_s)
            else:
                cameras.publish_image(camera, stamp_ns)
        loop_s += period_s


def _schedule(rate_hz: float, seconds: float) -> list[tuple[float, int]]:
    """Lists when which camera fires, and when a pose (-1) is due."""
    sweeps = [index / rate_hz for index in range(int(seconds * rate_hz))]
    images = [(start + phase / 1e3, camera) for start in sweeps for camera, phase in enumerate(PHASES_MS)]
    poses = [(index * TF_PERIOD_NS / 1e9, -1) for index in range(int(seconds * 1e9 / TF_PERIOD_NS))]
    return sorted(images + poses)


def _jpeg(random: np.random.Generator) -> "array[int]":
    """Returns a picture that takes about as many bytes as a street does."""
    picture = np.zeros((900, 1600, 3), dtype=np.float32)
    for cells, strength in ((9, 70.0), (60, 18.0), (300, 2.0)):
        noise = random.standard_normal((cells, cells * 16 // 9, 3)).astype(np.float32)
        picture += strength * cv2.resize(noise, (1600, 900), interpolation=cv2.INTER_CUBIC)
    encoded, data = cv2.imencode(".jpg", (picture + 128).clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert encoded
    return byte_array(data)


def _image_topic(name: str) -> str:
    return f"/{name}/image_rect_compressed"


def _transform(parent: str, child: str, pose: NDArray[np.float64], stamp_ns: int) -> TransformStamped:
    x, y, z, w = (float(value) for value in quaternion_from_matrix(pose[:3, :3]))
    message = TransformStamped(header=header(stamp_ns, parent), child_frame_id=child)
    moved = message.transform.translation
    moved.x, moved.y, moved.z = (float(value) for value in pose[:3, 3])
    turned = message.transform.rotation
    turned.x, turned.y, turned.z, turned.w = x, y, z, w
    return message


def main() -> None:
    """Drives, then prints what was sent and heard as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=12.0, help="sweeps a second")
    parser.add_argument("--drop", type=float, default=0.0, help="share of images that are never sent")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="stamps are off by up to this")
    parser.add_argument("--tf-gaps", action="store_true", help="transforms are missing for 3 of 15 seconds")
    parser.add_argument("--loop-every", type=float, default=0.0, help="stamps begin anew after this time, seconds")
    arguments = parser.parse_args()
    faults = Faults(arguments.drop, arguments.jitter_ms, arguments.tf_gaps, arguments.loop_every)
    rclpy.init()
    node = rclpy.create_node("distillnerf_benchmark_cameras")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    cameras = Cameras(node, faults)
    deadline = time.monotonic() + CONNECT_S
    while not cameras.connected:
        if time.monotonic() > deadline:
            raise SystemExit(f"no node listens to the cameras within {CONNECT_S:.0f} s")
        executor.spin_once(timeout_sec=0.05)
    cameras.publish_mounts()
    try:
        drive(executor, cameras, arguments.rate, arguments.seconds, faults)
    except (ExternalShutdownException, rclpy_implementation.RCLError):
        return  # terminated
    print(json.dumps({"sent": dict(cameras.sent), "heard": dict(cameras.heard)}))
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
