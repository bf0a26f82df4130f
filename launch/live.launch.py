"""Perception of a robot's own cameras.

ros2 launch distillnerf_ros live.launch.py [preset:=my_cameras.yaml params:=my.yaml rviz:=true checkpoint:=...]

--show-args lists everything.
"""

from distillnerf_ros.launching import perception_actions, perception_arguments
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Returns the node, activated, and RViz."""
    return LaunchDescription([*perception_arguments(use_sim_time=False), *perception_actions()])
