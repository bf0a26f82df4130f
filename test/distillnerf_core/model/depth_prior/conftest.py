import pytest
import torch

from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig
from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig


@pytest.fixture
def config() -> DepthPriorConfig:
    """The architecture of the prior at a size for tests."""
    return DepthPriorConfig(
        short_side_px=42,
        transformer=VisionTransformerConfig(width=24, depth=5, heads=2, position_grid=4),
        head=DensePredictionConfig(channels=16, level_channels=(8, 12, 16, 20)),
    )


@pytest.fixture
def prior(config: DepthPriorConfig) -> DepthPrior:
    torch.manual_seed(0)
    return DepthPrior(config).eval()
