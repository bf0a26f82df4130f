"""The teacher without optimisation: LiDAR fused over time, completed to every pixel (section 13.1)."""
