"""Perception of a recorded drive.

ros2 launch distillnerf_ros nuscenes_bag.launch.py bag:=PATH
    [preset:=auto rate:=1.0 rviz:=true checkpoint:=... loop:=false]

--show-args lists everything. Plays with `ros2 bag play` where that is installed, else with the package's own player.
"""

from distillnerf_ros.launch_playback import bag_actions, bag_arguments
from distillnerf_ros.launching import perception_actions, perception_arguments
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Returns the node, activated, then the player with its clock, and RViz."""
    return LaunchDescription(
        [*bag_arguments(), *perception_arguments(use_sim_time=True), *perception_actions(bag_actions)]
    )
