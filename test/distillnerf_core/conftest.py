"""A small world for every room: two cameras over a road, a small architecture and its language, a depth prior."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from distillnerf_core.frames import MultiViewFrame, SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import FeaturePca
from distillnerf_core.model.coarse_depth import CoarseDepthConfig
from distillnerf_core.model.decoder import DecoderConfig
from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig
from distillnerf_core.model.image_encoder import ImageEncoderConfig
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.model.renderer import RendererConfig

ROAD = CLASS_NAMES.index("driveable_surface")


@pytest.fixture
def rig() -> CameraRig:
    """Two cameras that look forward and to the left from 1.5 m."""
    intrinsics = torch.tensor([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    forward = torch.tensor([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    return CameraRig(("front", "left"), intrinsics, torch.stack((forward, turn @ forward)), 32, 64)


@pytest.fixture
def flat_road(rig: CameraRig) -> SupervisedFrame:
    """The two cameras over an endless grey road under a blue sky."""
    down = -camera_rays(rig).directions[..., 2]
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
def small_architecture() -> PredictorConfig:
    """The architecture of `tiny` at a size for tests, for images of the two cameras' size."""
    return PredictorConfig(
        image_height=32,
        image_width=64,
        feature_channels=16,
        language_channels=8,
        encoder=ImageEncoderConfig(widths=(8, 16, 16), blocks=(1, 1, 1), output_channels=16),
        coarse_depth=CoarseDepthConfig(bins=DepthBinsConfig(count=24)),
        renderer=RendererConfig(bins=DepthBinsConfig(count=24), importance_samples=8),
        decoder=DecoderConfig(width=16, blocks=1),
    )


@pytest.fixture
def codec() -> FeatureCodec:
    """A codec of eight channels over random classes, for text embeddings of twelve components."""
    features = normalize(torch.randn(18, 8, generator=torch.Generator().manual_seed(2)), dim=1)
    pca = FeaturePca(torch.zeros(12), torch.eye(12)[:, :8])
    return FeatureCodec(pca, features, tuple(f"class{k}" for k in range(18)), "test")


@pytest.fixture(scope="session")
def small_prior() -> DepthPriorConfig:
    """The architecture of the depth prior at a size for tests."""
    return DepthPriorConfig(
        short_side_px=42,
        transformer=VisionTransformerConfig(width=24, depth=5, heads=2, position_grid=4),
        head=DensePredictionConfig(channels=16, level_channels=(8, 12, 16, 20)),
    )


@pytest.fixture(scope="session")
def create_depth_anything() -> Callable[[list[int]], Any]:
    """Creates the same in `transformers`, whose features come from given blocks; no parameter is at its neutral value.

    Blocks 2 to 5 make a Depth Anything v1.
    """
    transformers: Any = pytest.importorskip("transformers")

    def create(blocks: list[int]) -> Any:
        torch.manual_seed(0)
        backbone = transformers.Dinov2Config(
            hidden_size=24,
            num_hidden_layers=5,
            num_attention_heads=2,
            image_size=56,
            out_indices=blocks,
            reshape_hidden_states=False,
        )
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=24,
            neck_hidden_sizes=[8, 12, 16, 20],
            fusion_hidden_size=16,
        )
        model = transformers.DepthAnythingForDepthEstimation(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape))
        return model

    return create
