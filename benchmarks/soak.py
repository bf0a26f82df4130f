"""The node for a long time with everything going wrong: losses, jitter, gaps, loops, vanishing clients, a full disk.

    python -m benchmarks.soak [--minutes 30] [--rate 24] [--json FILE]

Cameras (benchmarks.ros_cameras) send at twice the rate of nuScenes with faults, clients (benchmarks.soak_clients) call
every service with sense and nonsense, and SaveFrame writes to a disk of 1 MiB (as root; else files are limited to that
size). Passes if no exception escapes, memory grows by less than 1 MiB a minute after warming up, every call is
answered and every fault shows in the diagnostics by name. Needs a shell with the ROS environment.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from distillnerf_ros.msg import FrameStatus
from rclpy.executors import SingleThreadedExecutor
from rich.console import Console
from rich.table import Table

DOMAIN = "88"
DISK_BYTES = 2**20
WARM_UP_SHARE = 0.25
MAX_SLOPE_MIB_MIN = 1.0
MEBIBYTE = 2**20
FAULTS = {
    "4 % of images lost": ("camera ", ""),
    "transforms missing for seconds": ("tf|sync|frame", "transform|static|motion"),
    "stamps begin anew": ("time", "jumped back"),
    "disk full": ("files", "space|large|full"),
}
"""What goes wrong, and where and how the diagnostics name it (regular expressions of entry and message)."""


@dataclass(frozen=True)
class Verdict:
    """What a soak showed.

    Attributes:
        minutes: Its length.
        frames: Frames perceived.
        loops: Times that stamps began anew.
        slope_mib_min: Growth of resident memory after warming up.
        rss_mib: Resident memory, every ten seconds.
        exceptions: Lines of the node's log that tell of an exception.
        seen: How often the diagnostics named each fault.
        answers: Answers of services by status; unanswered calls and clients that vanished.
        slowest_ms: Slowest answer of each service.
        alive: Whether the node was still running.
    """

    minutes: float
    frames: int
    loops: int
    slope_mib_min: float
    rss_mib: tuple[float, ...]
    exceptions: tuple[str, ...]
    seen: dict[str, int]
    answers: dict[str, int]
    slowest_ms: dict[str, float]
    alive: bool

    def failures(self) -> list[str]:
        """Returns what did not go as it should."""
        problems = [f"exception: {line}" for line in self.exceptions[:5]]
        problems += [f"{fault}: not in the diagnostics" for fault, count in self.seen.items() if count == 0]
        if self.slope_mib_min > MAX_SLOPE_MIB_MIN:
            problems.append(f"memory grows by {self.slope_mib_min:.2f} MiB a minute")
        if self.answers.get("unanswered"):
            problems.append(f"{self.answers['unanswered']} calls were not answered")
        if not self.alive:
            problems.append("the node ended")
        return problems if self.frames else [*problems, "no frame was perceived"]


class Monitor:
    """Listens to a node and watches its memory."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._node = rclpy.create_node("distillnerf_soak_monitor")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 20)
        self._node.create_subscription(FrameStatus, "/distillnerf/status", self._count, 20)
        self.memory: list[tuple[float, float]] = []
        self.seen: Counter[str] = Counter(dict.fromkeys(FAULTS, 0))
        self.frames = 0

    def watch(self, seconds: float) -> None:
        """Watches until the time is over or the node has ended."""
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds and self._process.is_running():
            self._executor.spin_once(timeout_sec=0.2)
            if not self.memory or now - self.memory[-1][0] >= 1.0:
                self.memory.append((now, self._process.memory_info().rss / MEBIBYTE))

    def slope_mib_min(self) -> float:
        """Growth of memory after warming up, by least squares."""
        samples = np.array(self.memory[round(WARM_UP_SHARE * len(self.memory)) :])
        return float(np.polyfit(samples[:, 0] / 60.0, samples[:, 1], 1)[0])

    def close(self) -> None:
        """Ends listening."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _take(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.partition(": ")[2]
            if status.level in (b"\x00", 0):
                continue
            for fault, (entry, text) in FAULTS.items():
                self.seen[fault] += bool(re.match(entry, name) and re.search(text, status.message))

    def _count(self, message: FrameStatus) -> None:
        self.frames += 1


@contextmanager
def small_disk() -> Iterator[tuple[Path, bool]]:
    """Makes a folder on a disk of 1 MiB; False where only root could, and files must be limited instead."""
    with tempfile.TemporaryDirectory(prefix="distillnerf_soak_") as folder:
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder]
        mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
        try:
            yield Path(folder), mounted
        finally:
            if mounted:
                subprocess.run(["umount", "-l", folder], check=False)


def soak(minutes: float, rate: float, log_path: Path) -> Verdict:
    """Runs node, cameras and clients, and returns what happened."""
    os.environ["ROS_DOMAIN_ID"] = DOMAIN
    seconds = 60.0 * minutes
    loop_s = min(60.0, seconds / 3)
    with small_disk() as (folder, mounted), log_path.open("wb") as log:
        node = _start_node(folder, log)
        if not mounted:
            psutil.Process(node.pid).rlimit(psutil.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))
        faults = ["--drop", "0.04", "--jitter-ms", "5", "--tf-gaps", "--loop-every", str(loop_s)]
        cameras = _start("benchmarks.ros_cameras", "--rate", str(rate), "--seconds", str(seconds), *faults)
        clients = _start("benchmarks.soak_clients", "--seconds", str(seconds))
        rclpy.init()
        monitor = Monitor(psutil.Process(node.pid))
        try:
            monitor.watch(seconds + 5.0)
            called = json.loads(clients.communicate(timeout=120.0)[0])
            return _verdict(monitor, minutes, int(seconds / loop_s), called, log_path, node.poll() is None)
        finally:
            monitor.close()
            rclpy.try_shutdown()
            for process in (cameras, clients, node):
                process.terminate()
                process.wait(60.0)


def _start_node(folder: Path, log: Any) -> "subprocess.Popen[bytes]":
    parameters = {"auto_activate": "true", "input.preset": "nuscenes_upper", "save.folder": str(folder)}
    options = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", "distillnerf_ros.main", "--ros-args", *options]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def _start(module: str, *options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", module, *options], stdout=subprocess.PIPE)


def _verdict(
    monitor: Monitor, minutes: float, loops: int, called: dict[str, Any], log_path: Path, alive: bool
) -> Verdict:
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    return Verdict(
        minutes=minutes,
        frames=monitor.frames,
        loops=loops,
        slope_mib_min=monitor.slope_mib_min(),
        rss_mib=tuple(round(rss, 1) for _, rss in monitor.memory[::10]),
        exceptions=tuple(line for line in lines if "Traceback" in line or "unexpected " in line),
        seen=dict(monitor.seen),
        answers={**called["answers"], "unanswered": called["unanswered"], "vanished clients": called["vanished"]},
        slowest_ms=called["slowest_ms"],
        alive=alive,
    )


def print_table(verdict: Verdict) -> None:
    """Prints what a soak showed."""
    table = Table("figure", "value", title=f"{verdict.minutes:g} minutes with faults, {os.cpu_count()} cores")
    table.add_row("frames perceived", str(verdict.frames))
    table.add_row("times that stamps began anew", str(verdict.loops))
    table.add_row("memory, MiB, from start to end", " ".join(f"{rss:.0f}" for rss in _spread(verdict.rss_mib)))
    table.add_row("memory, MiB a minute", f"{verdict.slope_mib_min:+.2f}")
    table.add_row("exceptions in the log", str(len(verdict.exceptions)))
    for fault, count in verdict.seen.items():
        table.add_row(f"diagnostics name: {fault}", f"{count} times")
    for answer, count in sorted(verdict.answers.items()):
        table.add_row(answer, str(count))
    for service, slowest in sorted(verdict.slowest_ms.items()):
        table.add_row(f"{service}, slowest answer, ms", f"{slowest:.0f}")
    Console(width=100).print(table)


def _spread(values: Sequence[float], count: int = 8) -> list[float]:
    """Picks some values, evenly spread."""
    return [values[round(index * (len(values) - 1) / (count - 1))] for index in range(count)]


def main() -> None:
    """Soaks the node; exits with 1 where it did not stand it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=24.0, help="sweeps a second")
    parser.add_argument("--log", type=Path, default=Path("demo_output/soak.log"), help="the node's log")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    verdict = soak(arguments.minutes, arguments.rate, arguments.log)
    print_table(verdict)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(asdict(verdict), indent=1) + "\n", encoding="utf-8")
    if failures := verdict.failures():
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
