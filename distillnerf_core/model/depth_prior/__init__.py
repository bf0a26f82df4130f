"""The monocular depth prior: Depth Anything v1 (ViT-B/14), used for its features, not for its depth."""
