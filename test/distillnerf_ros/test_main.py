"""What the process says and returns when it cannot begin."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("model.max_rate_hz:=10", "write 10.0"),
        ("model.max_rate_hz:=-1.0", "-1.0"),
        ("model.device:=7", "STRING"),
    ],
)
def test_a_refused_parameter_ends_the_process_with_one_line(given: str, words: str) -> None:
    command = [sys.executable, "-m", "distillnerf_ros.main", "--ros-args", "-p", given]
    environment = os.environ | {"ROS_DOMAIN_ID": "101"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    assert given.split(":=", maxsplit=1)[0] in line
    assert words in line
