import zlib
from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.perception.config import OccupancyConfig, PerceptionConfig, QueryConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline


class RandomEncoder:
    """Embeds each text as a random unit vector of its own, in the space of the small codec."""

    @property
    def name(self) -> str:
        return "test"

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        generators = [torch.Generator().manual_seed(zlib.crc32(text.encode())) for text in texts]
        return normalize(torch.stack([torch.randn(12, generator=generator) for generator in generators]), dim=1)


@pytest.fixture
def pipeline(small_architecture: PredictorConfig, codec: FeatureCodec) -> PerceptionPipeline:
    """A predictor that never learned anything, which finds matter at about 14 m; every occupied voxel is an answer."""
    torch.manual_seed(0)
    predictor = ScenePredictor(small_architecture).eval().requires_grad_(False)
    occupancy = OccupancyConfig(range=(-40.0, -40.0, -2.0, 40.0, 40.0, 6.0), voxel_size_m=1.0)
    config = PerceptionConfig(occupancy=occupancy, query=QueryConfig(threshold=0.0))
    return PerceptionPipeline(predictor, CodecTextSpace(codec, RandomEncoder()), config)
