import torch

from distillnerf_core.model.denormals import flushed_denormals


def test_denormals_vanish_within_the_block_only() -> None:
    small = torch.full((4,), 1e-30)
    with flushed_denormals():
        assert not bool((small * 1e-10).any())
    assert bool((small * 1e-10).all())
