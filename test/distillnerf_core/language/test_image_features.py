"""The feature space of an image model survives a checkpoint, and damage to it is named."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.language.affine_compression import AffineCompression
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.feature_space import feature_space_from_state
from distillnerf_core.language.image_features import ImageFeatures

COMPRESSION = AffineCompression(torch.eye(5)[:, :3], torch.zeros(3), torch.ones(3))
SPACE = ImageFeatures("clip", {"model": "CLIP", "stride_px": "7"}, 3, COMPRESSION)


def test_a_space_comes_back_from_its_tensors(codec: FeatureCodec) -> None:
    found = feature_space_from_state(SPACE.to_state())
    assert isinstance(found, ImageFeatures)
    assert (found.model, found.description, found.channels) == ("clip", SPACE.description, 3)
    assert found.compression is not None
    assert torch.equal(found.compression.reduction, COMPRESSION.reduction)
    assert found.fingerprint == SPACE.fingerprint
    assert found.class_features is None
    whole = feature_space_from_state(replace(SPACE, compression=None).to_state())
    assert isinstance(whole, ImageFeatures) and whole.compression is None
    assert isinstance(feature_space_from_state(codec.to_state()), FeatureCodec)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPACE, description={"model": "CLIP", "stride_px": "14"}),
        replace(SPACE, compression=replace(COMPRESSION, upper=torch.full((3,), 2.0))),
        replace(SPACE, compression=None),
        replace(SPACE, model="dinov2"),
    ],
)
def test_whatever_changes_features_changes_the_fingerprint(other: ImageFeatures) -> None:
    assert other.fingerprint != SPACE.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_model": torch.tensor([1, 2], dtype=torch.uint8)}, "unreadable"),
        ({"image_model": torch.tensor(list(b"[]"), dtype=torch.uint8)}, "unreadable"),
        ({"lower": None}, "reduction, upper of shapes"),
        ({"reduction": torch.eye(5)}, "no compression to 3 channels"),
    ],
)
def test_damage_is_named(change: dict[str, Tensor | None], message: str) -> None:
    state = {name: value for name, value in {**SPACE.to_state(), **change}.items() if value is not None}
    with pytest.raises(CheckpointError, match=message):
        feature_space_from_state(state)
