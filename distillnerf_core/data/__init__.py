"""Datasets: simulated streets on disk and folders of real frames, all as the one frame type."""
