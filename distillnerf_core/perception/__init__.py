"""What robots consume: depth images, semantic occupancy, answers to texts, and the pipeline."""
