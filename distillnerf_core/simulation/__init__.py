"""Procedural driving streets, ray-cast analytically, with exact ground truth."""
