"""Clients of every service, some of which vanish or ask for nonsense; a process of its own.

    python -m benchmarks.soak_clients --seconds 60 [--calls-per-second 2]

Prints how often each service answered with which status, as JSON.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy
from distillnerf_ros.srv import EncodeText, GetVoxels, QueryPoint, QueryText, RenderView, SaveFrame
from geometry_msgs.msg import Point
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

ANSWER_S = 60.0
VANISH_EVERY_S = 20.0
VANISHING = """
import os, rclpy
from distillnerf_ros.srv import QueryText
rclpy.init()
node = rclpy.create_node("vanishing_client")
client = node.create_client(QueryText, "query_text")
client.wait_for_service(10.0)
client.call_async(QueryText.Request(texts=["car"], return_cloud=True))
os._exit(0)
"""
WORDS = ("car", "person walking", "oak tree", "house", "asphalt street", "自転車", "\N{BICYCLE}", "x" * 100_000)


@dataclass(frozen=True)
class Call:
    """A kind of request.

    Attributes:
        kind: Service class.
        name: Name of the service.
        build: Makes a request, sometimes a senseless one.
    """

    kind: Any
    name: str
    build: Callable[[random.Random], Any]


def _number(chance: random.Random) -> float:
    return chance.choice([math.nan, math.inf, 1e30]) if chance.random() < 0.05 else chance.uniform(-30.0, 30.0)


def _corners(chance: random.Random) -> dict[str, Point]:
    values = [(_number(chance), _number(chance)) for _ in range(3)]
    lower, upper = (Point(**dict(zip("xyz", map(pick, values), strict=True))) for pick in (min, max))
    return {"box_min": lower, "box_max": upper}


def _text(chance: random.Random) -> QueryText.Request:
    box = _corners(chance) if chance.random() < 0.5 else {}
    return QueryText.Request(texts=chance.sample(WORDS, 2), return_cloud=chance.random() < 0.5, **box)


def _point(chance: random.Random) -> QueryPoint.Request:
    request = QueryPoint.Request()
    request.point.point = Point(x=_number(chance), y=_number(chance), z=chance.uniform(0.0, 2.0))
    return request


def _view(chance: random.Random) -> RenderView.Request:
    request = RenderView.Request()
    request.pose.pose.position.x = _number(chance)
    request.camera_info.width = chance.choice([0, 160, 2**31])
    request.camera_info.height = chance.choice([0, 90, 2**31])
    request.camera_info.k[[0, 4, 2, 5, 8]] = (80.0, 80.0, 80.0, 45.0, 1.0)
    return request


CALLS = (
    Call(QueryText, "query_text", _text),
    Call(QueryPoint, "query_point", _point),
    Call(GetVoxels, "get_voxels", lambda chance: GetVoxels.Request(**_corners(chance))),
    Call(RenderView, "render_view", _view),
    Call(EncodeText, "encode_text", lambda chance: EncodeText.Request(texts=[chance.choice(WORDS)])),
    Call(SaveFrame, "save_frame", lambda chance: SaveFrame.Request()),
)


class Clients:
    """Calls services at random and counts the answers.

    Args:
        node: Node that owns the clients.
        calls_per_second: How often any service is called.
    """

    def __init__(self, node: Node, calls_per_second: float, seed: int = 0) -> None:
        self.answers: Counter[str] = Counter()
        self.slowest_ms: dict[str, float] = {}
        self._chance = random.Random(seed)
        self._clients: dict[str, Client] = {call.name: node.create_client(call.kind, call.name) for call in CALLS}
        self._waiting: dict[Future, tuple[str, float]] = {}
        node.create_timer(1.0 / calls_per_second, self._call)

    @property
    def unanswered(self) -> int:
        """Calls that wait for longer than an answer may take."""
        now = time.monotonic()
        return sum(now - started > ANSWER_S for _, started in self._waiting.values())

    def _call(self) -> None:
        call = self._chance.choice(CALLS)
        if not self._clients[call.name].service_is_ready():
            return
        future = self._clients[call.name].call_async(call.build(self._chance))
        self._waiting[future] = (call.name, time.monotonic())
        future.add_done_callback(self._take)

    def _take(self, future: Future) -> None:
        name, started = self._waiting.pop(future)
        taken_ms = 1e3 * (time.monotonic() - started)
        self.slowest_ms[name] = max(taken_ms, self.slowest_ms.get(name, 0.0))
        self.answers[f"{name} status {future.result().status}"] += 1


def main() -> None:
    """Calls for a while, then prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--calls-per-second", type=float, default=2.0)
    arguments = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("distillnerf_soak_clients")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    clients = Clients(node, arguments.calls_per_second)
    end, vanish_at, vanished = time.monotonic() + arguments.seconds, 0.0, []
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
        if time.monotonic() > vanish_at:
            vanish_at = time.monotonic() + VANISH_EVERY_S
            vanished.append(subprocess.Popen([sys.executable, "-c", VANISHING]))
    for process in vanished:
        process.wait(30.0)
    report = {"answers": dict(clients.answers), "slowest_ms": clients.slowest_ms}
    print(json.dumps({**report, "unanswered": clients.unanswered, "vanished": len(vanished)}))
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
