"""What the node adds to inference: latency, losses and CPU with six JPEG cameras of 1600x900 at 12 Hz.

    python -m benchmarks.ros [--seconds 20] [--inference-ms 40] [--real] [--json FILE]

The cameras and a listener of occupancy and six depth images are a process of their own (benchmarks.ros_cameras). What
the node does with a sweep beside inference is measured with a stand-in that sleeps as long as a network on a GPU takes
and gives the result of the first frame; `--real` runs the shipped network instead. Beside ours stands the same node
with what is usual: every image decoded at full size in its callback, and message fields filled with bytes. Needs a
shell with the ROS environment (`source scripts/ros_env.sh`).
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import rclpy
from distillnerf_ros.msg import FrameStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rich.console import Console
from rich.table import Table

from benchmarks.ros_usual import usual_ways
from distillnerf_core.perception import pipeline as pipeline_module
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import Output, PerceptionResult
from distillnerf_ros.main import SWITCH_INTERVAL_S
from distillnerf_ros.node import DistillNerfNode

DOMAIN = 87
WARM_UP = 5
"""Frames at the start that do not count."""
OWN_STAGES = ("wait", "decode", "publish")


class StandIn(PerceptionPipeline):
    """Perception that takes a set time without a processor, as on a GPU, and knows one result."""

    inference_s = 0.04
    known: PerceptionResult | None = None

    def perceive(self, frame: Any, *_arguments: Any, **_options: Any) -> PerceptionResult:
        """Sleeps, and gives the first frame's result for every frame."""
        if self.known is None:
            self.known = super().perceive(frame, frozenset({Output.DEPTH, Output.OCCUPANCY}))
        time.sleep(self.inference_s)
        return replace(self.known, stamp_ns=frame.stamp_ns, frame=frame)


@dataclass(frozen=True)
class Run:
    """What one form of the node did.

    Attributes:
        name: Name of the form.
        frames: Frames that count.
        overhead_ms: Median, 99th percentile and largest latency beside inference.
        stages_ms: Median of each stage beside inference.
        cpu_percent: Processor time of the executor, the inference thread, and all others (DDS), percent of one core.
        sent: What the cameras sent.
        received: Images that reached the node.
        dropped: Sweeps replaced by newer ones.
        heard: What the listener heard.
    """

    name: str
    frames: int
    overhead_ms: tuple[float, float, float]
    stages_ms: dict[str, float]
    cpu_percent: dict[str, float]
    sent: dict[str, int]
    received: int
    dropped: int
    heard: dict[str, int]


class Measurement:
    """Runs a node for the length of a drive and reads its status messages."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._statuses: list[FrameStatus] = []

    def run(self) -> Run:
        """Starts node and cameras, and returns what was measured."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        rclpy.init(domain_id=DOMAIN)
        overrides = {"auto_activate": True, "input.preset": "nuscenes_upper"}
        node = DistillNerfNode(parameter_overrides=[Parameter(key, value=value) for key, value in overrides.items()])
        node.create_subscription(FrameStatus, "~/status", self._statuses.append, 50)
        command = [sys.executable, "-m", "benchmarks.ros_cameras", "--seconds", str(self._seconds)]
        cameras = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)})
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        before: dict[int, float] = {}
        try:
            while cameras.poll() is None:
                executor.spin_once(timeout_sec=0.05)
                if not before and len(self._statuses) >= WARM_UP:
                    before, started = _thread_seconds(), time.monotonic()
            after, seconds = _thread_seconds(), time.monotonic() - started
            return self._report(node, json.loads(cameras.communicate()[0]), _shares(before, after, seconds))
        finally:
            cameras.kill()
            executor.shutdown()
            node.destroy_node()
            rclpy.try_shutdown()

    def _report(self, node: DistillNerfNode, played: dict[str, Any], shares: dict[str, float]) -> Run:
        session = node.session
        assert session is not None
        counted = self._statuses[WARM_UP:]
        if not counted:
            raise SystemExit(f"{self._name}: the node perceived {len(self._statuses)} frames, too few to judge")
        stages = [dict(zip(status.stages, status.stage_ms, strict=True)) for status in counted]
        beside = [sum(row[name] for name in OWN_STAGES) for row in stages]
        return Run(
            self._name,
            len(counted),
            (float(np.percentile(beside, 50)), float(np.percentile(beside, 99)), max(beside)),
            {name: float(np.median([row[name] for row in stages])) for name in OWN_STAGES},
            shares,
            played["sent"],
            sum(counter.received for counter in session.stream.synchroniser.counters.values()),
            session.dropped,
            played["heard"],
        )


def _thread_seconds() -> dict[int, float]:
    """Processor time of each thread of this process so far."""
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process().threads()}


def _shares(before: dict[int, float], after: dict[int, float], seconds: float) -> dict[str, float]:
    """Says how busy executor, inference thread and the rest were, percent of one core."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    totals = {"executor": 0.0, "inference": 0.0, "others": 0.0}
    for thread, total in after.items():
        name = names.get(thread, "")
        kind = "executor" if name == "MainThread" else "inference" if "inference" in name else "others"
        totals[kind] += 100.0 * (total - before.get(thread, 0.0)) / seconds
    return totals


def print_table(runs: Sequence[Run], title: str) -> None:
    """Prints the runs side by side."""
    table = Table(title=title)
    for column in ("figure", *(run.name for run in runs)):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for place, name in enumerate(("median", "99th percentile", "largest")):
        table.add_row(f"beside inference, ms, {name}", *(f"{run.overhead_ms[place]:.1f}" for run in runs))
    for stage in OWN_STAGES:
        table.add_row(f"  of it {stage}, median", *(f"{run.stages_ms[stage]:.1f}" for run in runs))
    for thread in ("executor", "inference", "others"):
        table.add_row(f"processor, {thread}, % of a core", *(f"{run.cpu_percent[thread]:.0f}" for run in runs))
    table.add_row("images sent", *(str(run.sent["images"]) for run in runs))
    table.add_row("images received", *(str(run.received) for run in runs))
    table.add_row("frames perceived", *(str(run.frames + WARM_UP) for run in runs))
    table.add_row("sweeps replaced by newer ones", *(str(run.dropped) for run in runs))
    table.add_row(
        "messages heard, occupancy", *(str(run.heard.get("/distillnerf/occupancy/points", 0)) for run in runs)
    )
    Console(width=120).print(table)


def measure(name: str, seconds: float, inference_s: float | None, usual: bool) -> Run:
    """Measures one form of the node; None as duration of the inference runs the shipped network."""
    with ExitStack() as stack:
        if inference_s is not None:
            stand_in = type("StandIn", (StandIn,), {"inference_s": inference_s})
            stack.enter_context(patch.object(pipeline_module, "PerceptionPipeline", stand_in))
        if usual:
            stack.enter_context(usual_ways())
        return Measurement(name, seconds).run()


def main() -> None:
    """Measures both forms and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each drive")
    parser.add_argument("--inference-ms", type=float, default=40.0, help="duration of the stand-in's inference")
    parser.add_argument("--real", action="store_true", help="run the shipped network on this processor")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    inference_s = None if arguments.real else arguments.inference_ms / 1e3
    runs = [
        measure(name, arguments.seconds, inference_s, usual)
        for name, usual in (("distillnerf", False), ("decoded in callbacks, bytes", True))
    ]
    network = "the shipped network" if arguments.real else f"{arguments.inference_ms:.0f} ms of sleep as inference"
    print_table(runs, f"6 cameras 1600x900 JPEG at 12 Hz, {arguments.seconds:.0f} s, {network}, {os.cpu_count()} cores")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
