"""DistillNeRF: feed-forward 3D perception from surround cameras. This library imports no ROS package."""

__version__ = "0.1.0"
