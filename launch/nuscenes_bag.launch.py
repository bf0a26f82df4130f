"""Perception of a recorded drive.

ros2 launch distillnerf_ros nuscenes_bag.launch.py bag:=PATH
    [preset:=auto rate:=1.0 rviz:=true checkpoint:=... loop:=false]
"""

from distillnerf_ros.launching import bag_arguments, perception_actions, perception_arguments
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Returns the node, activated, the player with its clock, and RViz."""
    return LaunchDescription(
        [*bag_arguments(), *perception_arguments(use_sim_time=True), *perception_actions(play_bag=True)]
    )
