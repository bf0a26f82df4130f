"""A per-scene neural field as teacher: a static hash grid, moving boxes, and a sky, fitted to images and LiDAR."""
