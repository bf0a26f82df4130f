"""What a cache of features means to a run, and what does not fit together."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.language.codec import FeatureCodec, create_feature_codec
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.drive_features import DriveFeatures
from distillnerf_core.teachers.features.labels import LabelTeacher
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.feature_training import create_feature_space, open_features


class Encoder:
    """Embeds each text as a random unit vector of its own."""

    name = "random"

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        generators = [torch.Generator().manual_seed(zlib.crc32(text.encode())) for text in texts]
        return normalize(torch.stack([torch.randn(12, generator=generator) for generator in generators]), dim=1)


def cache_of(
    folder: Path, teacher: str, description: Mapping[str, str], channels: int, compressed: bool
) -> DriveFeatures:
    plan = CompressionPlan(kind="fitted" if compressed else "none", channels=channels)
    index = FeatureIndex(teacher=teacher, description=description, margin_px=0.0, compression=plan)
    cache = FeatureCache(folder, index)
    if compressed:
        low, high = np.zeros(channels), np.full(channels, 2.0)
        np.savez(cache.compression_path, reduction_mat=np.eye(12, channels), min=low, max=high)
    return DriveFeatures(folder)


def test_without_features_nothing_is_opened_and_texts_teach() -> None:
    assert open_features(TrainConfig()) is None
    space = create_feature_space(None, Encoder(), 6)
    assert isinstance(space, FeatureCodec) and space.channels == 6


@pytest.mark.parametrize("compressed", [True, False])
def test_features_of_an_image_model_bring_their_compression(tmp_path: Path, compressed: bool) -> None:
    features = cache_of(tmp_path, "clip", {"stride_px": "7"}, 5, compressed)
    space = create_feature_space(features, Encoder(), 5)
    assert isinstance(space, ImageFeatures)
    assert (space.model, space.channels, space.description) == ("clip", 5, {"stride_px": "7"})
    assert (space.compression is not None) == compressed
    if space.compression is not None:
        assert torch.equal(space.compression.reduce(torch.eye(12)), 0.5 * torch.eye(12)[:, :5])


def test_features_of_labels_are_those_of_texts(tmp_path: Path) -> None:
    codec = create_feature_codec(Encoder(), 5)
    features = cache_of(tmp_path / "same", "labels", LabelTeacher(codec).description, 5, False)
    space = create_feature_space(features, Encoder(), 5)
    assert isinstance(space, FeatureCodec)
    assert torch.equal(space.class_features, codec.class_features)
    other = cache_of(tmp_path / "other", "labels", {"model": "random", "classes": "car"}, 5, False)
    with pytest.raises(DataError, match="other classes; extract them again"):
        create_feature_space(other, Encoder(), 5)


@pytest.mark.parametrize(
    ("weight", "channels", "given", "message"),
    [
        (0.0, 2, True, "objective.weights.features=1"),
        (1.0, 8, True, "predictor.language_channels=2, or extract with --channels 8"),
        (1.0, 2, False, "with --features"),
    ],
)
def test_what_does_not_fit_is_said_with_the_remedy(
    tmp_path: Path, weight: float, channels: int, given: bool, message: str
) -> None:
    cache_of(tmp_path, "dinov2", {}, 2, False)
    config = TrainConfig(
        features=tmp_path if given else None,
        predictor={"language_channels": channels},  # type: ignore[arg-type]
        objective={"weights": {"features": weight}},  # type: ignore[arg-type]
    )
    with pytest.raises(ConfigurationError, match=message):
        open_features(config)
