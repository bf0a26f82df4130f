"""The benchmarks are no installed package: they are found from the checkout, however pytest is started."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig


@pytest.fixture(scope="session")
def mini() -> ReferenceConfig:
    """The linear variant on small images, with a small depth prior."""
    prior = DepthPriorConfig(
        short_side_px=28,
        transformer=VisionTransformerConfig(width=16, depth=4, heads=2),
        head=DensePredictionConfig(level_channels=(8, 8, 8, 8)),
    )
    return VARIANTS["reference-linear"].model_copy(update={"prior": prior}).at_size(32, 48)
