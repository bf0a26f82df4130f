"""What the launch tests need; without launch_ros or the built ROS package all are skipped, saying why."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(item.split(":=", 1)) for item in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""
_DOMAINS = iter(range(1000))


@pytest.fixture(scope="session", autouse=True)
def _launch_is_installed() -> None:
    for name, why in (
        ("launch_ros", "launch_ros is not in the ROS 2 from PyPI"),
        ("distillnerf_ros.msg", "the ROS package is not built: make setup"),
    ):
        if importlib.util.find_spec(name.split(".")[0]) is None or importlib.util.find_spec(name) is None:
            pytest.skip(why)


class Launched:
    """A launch file that runs in a process of its own, and what it prints."""

    def __init__(self, file: str, arguments: dict[str, Any], domain: int, log: Path, **environment: str) -> None:
        self.domain = domain
        self._log = log
        values = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_LOG_DIR": str(log.parent), "OMP_NUM_THREADS": "1"}
        values.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
        command = [sys.executable, "-c", RUNNER, str(ROOT / "launch" / f"{file}.launch.py")]
        command += [f"{name}:={value}" for name, value in {"rviz": "false", **arguments}.items()]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=values | environment, start_new_session=True
            )

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, word: str, timeout_s: float = 90.0) -> None:
        deadline = time.monotonic() + timeout_s
        while word not in self.text:
            assert time.monotonic() < deadline, f"{word!r} was not printed:\n{self.text}"
            assert self.process.poll() is None or word in self.text, f"ended without {word!r}:\n{self.text}"
            time.sleep(0.1)

    def children(self) -> list[Any]:
        import psutil

        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        """Interrupts the launch as Ctrl-C does; returns its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def launch_file(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts launch files in ROS domains of their own; ends them after the test."""
    running: list[Launched] = []

    def start(file: str, environment: dict[str, str] | None = None, **arguments: Any) -> Launched:
        domain = 160 + (os.getpid() * 3 + next(_DOMAINS)) % 60
        log = tmp_path / f"launch_{len(running)}.log"
        running.append(Launched(file, arguments, domain, log, **(environment or {})))
        return running[-1]

    yield start
    for launched in running:
        launched.close()


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sweeps of small simulated images."""
    from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
    from distillnerf_core.simulation.simulator import SimulationConfig

    path = tmp_path_factory.mktemp("bag") / "street.mcap"
    size = SimulationConfig(height=36, width=64, supersampling=1)
    for _ in record_drive(path, DriveConfig(seconds=1.5, lidar=False, simulation=size)):
        pass
    return path
