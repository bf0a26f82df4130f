"""Perception of the built-in streets: makes a recording, kept for the next start, then plays it.

ros2 launch distillnerf_ros simulation.launch.py [seed:=7 rate:=1.0 rviz:=true checkpoint:=...]

--show-args lists everything.
"""

from distillnerf_ros.launch_playback import simulation_actions, simulation_arguments
from distillnerf_ros.launching import perception_actions, perception_arguments
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Returns the node, activated, then the simulation followed by its player, and RViz."""
    return LaunchDescription(
        [*simulation_arguments(), *perception_arguments(use_sim_time=True), *perception_actions(simulation_actions)]
    )
