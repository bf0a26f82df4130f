"""The network: image encoder, two-stage depth, lifting, voxel network, scene field and renderer."""
