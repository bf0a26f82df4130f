"""From sensor streams to frames: decoding, calibration, synchronising, transforms, bags. No ROS import."""
