"""Cameras, rays, rigid transforms, metric grids and contracted space."""
