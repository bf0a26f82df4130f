import math

import pytest
import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.coarse_depth import CoarseDepthConfig
from distillnerf_core.model.decoder import DecoderConfig
from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.image_encoder import ImageEncoderConfig
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.model.renderer import RendererConfig


@pytest.fixture
def rig() -> CameraRig:
    """Two cameras that look forward and to the left from 1.5 m."""
    intrinsics = torch.tensor([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    forward = torch.tensor([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    return CameraRig(("front", "left"), intrinsics, torch.stack((forward, turn @ forward)), 32, 64)


@pytest.fixture
def frame(rig: CameraRig) -> MultiViewFrame:
    images = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    return MultiViewFrame(7, rig, images, torch.ones(2, dtype=torch.bool), (5, 7))


@pytest.fixture
def config() -> PredictorConfig:
    """The architecture of `tiny` at a size for tests."""
    return PredictorConfig(
        image_height=32,
        image_width=64,
        feature_channels=16,
        language_channels=8,
        encoder=ImageEncoderConfig(widths=(8, 16, 16), blocks=(1, 1, 1), output_channels=16),
        coarse_depth=CoarseDepthConfig(bins=DepthBinsConfig(count=24)),
        renderer=RendererConfig(bins=DepthBinsConfig(count=24), importance_samples=8, chunk_rays=700),
        decoder=DecoderConfig(width=16, blocks=1),
    )


@pytest.fixture
def predictor(config: PredictorConfig) -> ScenePredictor:
    torch.manual_seed(0)
    return ScenePredictor(config).eval()
