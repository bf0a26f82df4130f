"""How long the node's services take, with the network that ships with the package, over real topics.

    python -m benchmarks.services [--calls 30] [--rate 12]

First the node rests on one perceived frame of a simulated street, then six cameras stream beside the calls. The node
is a process of its own; a call is measured from here to here.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import rclpy
from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.srv import EncodeText, GetVoxels, QueryPoint, QueryText, RenderView, SaveFrame, SetClasses
from geometry_msgs.msg import Point
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rich.console import Console
from rich.table import Table
from sensor_msgs.msg import CameraInfo

from benchmarks.ros_cameras import Cameras, Faults
from distillnerf_core.simulation.rig import PHASES_MS
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep
from distillnerf_ros.conversions.fields import byte_array

SEED = 100_000
WAIT_S = 120.0
WORDS = ("car", "person walking", "oak tree", "house", "asphalt street")


class Street(Cameras):
    """The cameras of the node's benchmark, with images of a simulated street."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, Faults())
        frame = simulate_sweep(sample_scene(SEED), 0, SimulationConfig(height=180, width=320)).frame
        self._jpegs = [_jpeg(image.permute(1, 2, 0).numpy()) for image in frame.images]

    def publish_sweep(self) -> None:
        """Publishes one sweep that ends now, with its poses."""
        first_ns = time.time_ns() - 100_000_000
        for offset_ns in (-100_000_000, 0, 100_000_000):
            self.publish_pose(first_ns + offset_ns, 0.0)
        for camera, phase in enumerate(PHASES_MS):
            self.publish_image(camera, first_ns + round(phase * 1e6))


class Caller:
    """Calls services, one call after the other."""

    def __init__(self, node: Node, folder: str) -> None:
        self._node = node
        self._requests: dict[str, tuple[Any, Callable[[int], Any]]] = {
            "query_text": (QueryText, lambda number: QueryText.Request(texts=[WORDS[number % len(WORDS)]])),
            "query_text, five texts": (QueryText, lambda _: QueryText.Request(texts=list(WORDS))),
            "query_text, a new text": (QueryText, lambda _: QueryText.Request(texts=[f"car {time.monotonic_ns()}"])),
            "query_point": (QueryPoint, lambda _: QueryPoint.Request()),
            "get_voxels, a box": (GetVoxels, lambda _: GetVoxels.Request(box_max=Point(x=10.0, y=5.0, z=2.0))),
            "get_voxels, everything": (GetVoxels, lambda _: GetVoxels.Request()),
            "encode_text": (EncodeText, lambda _: EncodeText.Request(texts=["car"])),
            "set_classes, three": (SetClasses, lambda _: SetClasses.Request(names=["car", "tree", "road"])),
            "render_view, size of depth": (RenderView, lambda _: RenderView.Request()),
            "render_view, 640 x 360": (RenderView, lambda _: _large_view()),
            "save_frame": (SaveFrame, lambda _: SaveFrame.Request(folder=folder)),
        }

    def measure(self, calls: int) -> dict[str, list[float]]:
        """Returns the milliseconds of each call by the name of its kind."""
        return {name: self._series(name, calls) for name in self._requests}

    def _series(self, name: str, calls: int) -> list[float]:
        kind, build = self._requests[name]
        client = self._node.create_client(kind, name.split(",", maxsplit=1)[0])
        if not client.wait_for_service(WAIT_S):
            raise SystemExit(f"no service {client.srv_name}")
        slow = name in ("save_frame", "render_view, 640 x 360")
        times = [self._call(client, build(number)) for number in range(1 + (5 if slow else calls))]
        self._node.destroy_client(client)
        return times[1:]

    def _call(self, client: Any, request: Any) -> float:
        done, start = threading.Event(), time.perf_counter()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(WAIT_S) or not future.result().success:
            raise SystemExit(f"{client.srv_name}: {future.result() and future.result().message}")
        return 1e3 * (time.perf_counter() - start)


def run(calls: int, rate_hz: float) -> dict[str, dict[str, list[float]]]:
    """Measures both situations and prints the table."""
    rclpy.init()
    node = rclpy.create_node("distillnerf_benchmark_services")
    frames: list[FrameStatus] = []
    node.create_subscription(FrameStatus, "/distillnerf/status", frames.append, 10)
    street = Street(node)
    with tempfile.TemporaryDirectory() as folder, _node_process(), _spinning(node):
        _wait("the node", lambda: street.connected)
        street.publish_mounts()
        time.sleep(1.0)
        street.publish_sweep()
        _wait("a frame", lambda: bool(frames))
        caller = Caller(node, folder)
        measured = {"at rest": caller.measure(calls)}
        with _streaming(street, rate_hz):
            begun, before = time.monotonic(), len(frames)
            measured[f"streaming {rate_hz:g} Hz"] = caller.measure(calls)
            per_second = (len(frames) - before) / (time.monotonic() - begun)
    _print(measured, per_second)
    return measured


def _print(measured: dict[str, dict[str, list[float]]], per_second: float) -> None:
    table = Table(title=f"Services, milliseconds, {os.cpu_count()} cores")
    table.add_column("service")
    for situation in measured:
        table.add_column(f"{situation}: median", justify="right")
        table.add_column("worst", justify="right")
    for name in next(iter(measured.values())):
        series = [figures[name] for figures in measured.values()]
        table.add_row(name, *(f"{value:.0f}" for times in series for value in (statistics.median(times), max(times))))
    table.caption = f"{per_second:.1f} frames a second were perceived beside the calls"
    Console(width=110).print(table)


@contextmanager
def _node_process() -> Iterator[None]:
    parameters = {"auto_activate": "true", "input.preset": "nuscenes_upper", "cache.max_age_s": "600.0"}
    options = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
    process = subprocess.Popen([sys.executable, "-m", "distillnerf_ros.main", "--ros-args", *options])
    try:
        yield
    finally:
        process.terminate()
        process.wait(60.0)


@contextmanager
def _spinning(node: Node) -> Iterator[None]:
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        """Handles messages until the context ends."""
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        rclpy.try_shutdown()
        thread.join(10.0)


@contextmanager
def _streaming(street: Street, rate_hz: float) -> Iterator[None]:
    end = threading.Event()

    def stream() -> None:
        """Publishes sweeps until told to end."""
        while not end.wait(1.0 / rate_hz):
            street.publish_sweep()

    thread = threading.Thread(target=stream, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(10.0)


def _wait(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not happened():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not appear within {WAIT_S:.0f} s")
        time.sleep(0.02)


def _large_view() -> RenderView.Request:
    info = CameraInfo(width=640, height=360)
    info.k = [400.0, 0.0, 320.0, 0.0, 400.0, 180.0, 0.0, 0.0, 1.0]
    return RenderView.Request(camera_info=info)


def _jpeg(image: np.ndarray) -> Any:
    large = cv2.resize((255 * image).astype(np.uint8), (1600, 900), interpolation=cv2.INTER_CUBIC)
    return byte_array(cv2.imencode(".jpg", large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=30, help="calls of each kind; fewer of slow ones")
    parser.add_argument("--rate", type=float, default=12.0, help="sweeps a second while streaming")
    arguments = parser.parse_args()
    run(arguments.calls, arguments.rate)


if __name__ == "__main__":
    main()
