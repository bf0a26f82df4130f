"""What the rendered features of a checkpoint of this package mean."""

from collections.abc import Mapping

from torch import Tensor

from distillnerf_core.language.codec import FeatureCodec, codec_from_state
from distillnerf_core.language.image_features import ImageFeatures, holds_image_features, image_features_from_state

FeatureSpace = FeatureCodec | ImageFeatures
"""Compressed embeddings of texts, or features of an image model."""


def feature_space_from_state(state: Mapping[str, Tensor]) -> FeatureSpace:
    """Restores a space from the tensors that its `to_state` gave.

    Raises:
        CheckpointError: If a tensor is missing, or they do not belong together.
    """
    return image_features_from_state(state) if holds_image_features(state) else codec_from_state(state)
