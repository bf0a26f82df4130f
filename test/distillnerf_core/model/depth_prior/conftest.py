import pytest
import torch

from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig


@pytest.fixture
def config(small_prior: DepthPriorConfig) -> DepthPriorConfig:
    """The architecture of the prior at a size for tests."""
    return small_prior


@pytest.fixture
def prior(config: DepthPriorConfig) -> DepthPrior:
    torch.manual_seed(0)
    return DepthPrior(config).eval()
