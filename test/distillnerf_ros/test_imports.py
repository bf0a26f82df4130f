"""The node's module imports without torch and without cv_bridge."""

import os
import subprocess
import sys

SCRIPT = """
import sys
sys.modules["torch"] = None
sys.modules["cv_bridge"] = None
from distillnerf_ros import node
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
rclpy.init()
made = node.DistillNerfNode()
assert made.trigger_configure() is TransitionCallbackReturn.FAILURE
condition = made.board.snapshot()["model"]
assert "torch" in condition.message and "pip install" in condition.message, condition
assert "launch" not in sys.modules
made.destroy_node()
rclpy.shutdown()
print("fine")
"""


def test_the_node_says_that_torch_is_missing() -> None:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"
