"""Sparse voxels: Morton order, pooling, neighbour tables and sparse convolutions."""
