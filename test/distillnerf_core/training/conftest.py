import math

import pytest
import torch

from distillnerf_core.frames import MultiViewFrame, SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import FREE
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import FeaturePca
from distillnerf_core.model.coarse_depth import CoarseDepthConfig
from distillnerf_core.model.decoder import DecoderConfig
from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.image_encoder import ImageEncoderConfig
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.model.renderer import RendererConfig
from distillnerf_core.training.config import ObjectiveConfig, OptimizerConfig, TrainConfig

ROAD = 11


@pytest.fixture
def codec() -> FeatureCodec:
    generator = torch.Generator().manual_seed(2)
    features = torch.nn.functional.normalize(torch.randn(18, 8, generator=generator), dim=1)
    return FeatureCodec(
        FeaturePca(torch.zeros(12), torch.eye(12)[:, :8]), features, tuple(f"class{k}" for k in range(18)), "test"
    )


@pytest.fixture
def flat_road() -> SupervisedFrame:
    """Two cameras over an endless grey road under a blue sky."""
    intrinsics = torch.tensor([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    forward = torch.tensor([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    rig = CameraRig(("front", "left"), intrinsics, torch.stack((forward, turn @ forward)), 32, 64)
    rays = camera_rays(rig)
    down = -rays.directions[..., 2]
    distance = torch.where(down > 0.01, 1.5 / down.clamp_min(0.01), torch.inf)
    sky = distance.isinf()
    images = torch.where(sky[:, None], torch.tensor([0.5, 0.7, 0.9])[:, None, None], 0.4)
    labels = torch.where(sky, FREE, ROAD).to(torch.uint8)
    occupancy = torch.full(OCC3D_GRID.size, FREE, dtype=torch.uint8)
    occupancy[:, :, 2] = ROAD
    visible = torch.zeros(OCC3D_GRID.size, dtype=torch.bool)
    visible[100:130, 90:110, 2:8] = True
    frame = MultiViewFrame(1, rig, images, torch.ones(2, dtype=torch.bool), (1, 1))
    return SupervisedFrame(frame, distance, labels, occupancy, visible, OCC3D_GRID)


@pytest.fixture
def train_config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    predictor = PredictorConfig(
        image_height=32,
        image_width=64,
        feature_channels=16,
        language_channels=8,
        encoder=ImageEncoderConfig(widths=(8, 16, 16), blocks=(1, 1, 1), output_channels=16),
        coarse_depth=CoarseDepthConfig(bins=DepthBinsConfig(count=24)),
        renderer=RendererConfig(bins=DepthBinsConfig(count=24), importance_samples=8),
        decoder=DecoderConfig(width=16, blocks=1),
    )
    objective = ObjectiveConfig(cameras=(2,), render_cameras=2, crop_columns=0, points=600, one_stage_share=0.25)
    return TrainConfig(
        out=tmp_path_factory.mktemp("run"),
        steps=30,
        warmup_steps=3,
        optimizer=OptimizerConfig(learning_rate=5e-3),
        device="cpu",
        log_every=1,
        predictor=predictor,
        objective=objective,
    )
