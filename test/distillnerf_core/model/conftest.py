import pytest
import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor


@pytest.fixture
def frame(rig: CameraRig) -> MultiViewFrame:
    images = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    return MultiViewFrame(7, rig, images, torch.ones(2, dtype=torch.bool), (5, 7))


@pytest.fixture
def config(small_architecture: PredictorConfig) -> PredictorConfig:
    return small_architecture


@pytest.fixture
def predictor(config: PredictorConfig) -> ScenePredictor:
    torch.manual_seed(0)
    return ScenePredictor(config).eval()
