"""Plain translations from perception results to ROS messages."""
