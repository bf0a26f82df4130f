from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import fit_feature_pca
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS, embed_classes, embed_words
from distillnerf_core.model.checkpoint import save_predictor
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor


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
