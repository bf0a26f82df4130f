from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import fit_feature_pca
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS, embed_classes, embed_words
from distillnerf_core.model.checkpoint import save_predictor
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor
from distillnerf_core.simulation.simulator import SimulationConfig


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor that never learned anything."""
    torch.manual_seed(0)
    encoder = MiniLmEncoder()
    classes = embed_classes(encoder)
    pca = fit_feature_pca(classes, embed_words(encoder, ["house", "river"]), channels=12)
    codec = FeatureCodec(pca, normalize(pca.reduce(classes), dim=1), tuple(CLASS_PROMPTS), encoder.name)
    config = PredictorConfig(image_height=32, image_width=64, language_channels=12)
    path = tmp_path_factory.mktemp("checkpoint") / "random.safetensors"
    save_predictor(path, config, ScenePredictor(config).state_dict(), codec, {})
    return path


@pytest.fixture(scope="session")
def short_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps of small simulated images."""
    path = tmp_path_factory.mktemp("bag") / "street.mcap"
    size = SimulationConfig(height=36, width=64, supersampling=1)
    for _ in record_drive(path, DriveConfig(seconds=1.0, pose_rate_hz=20.0, lidar=False, simulation=size)):
        pass
    return path
