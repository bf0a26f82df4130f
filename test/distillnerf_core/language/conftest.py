import pytest

from distillnerf_core.language.codec import FeatureCodec, create_feature_codec
from distillnerf_core.language.encoders import MiniLmEncoder


@pytest.fixture(scope="session")
def encoder() -> MiniLmEncoder:
    """The default text encoder, loaded once."""
    return MiniLmEncoder()


@pytest.fixture(scope="session")
def codec(encoder: MiniLmEncoder) -> FeatureCodec:
    """The codec of a new training run."""
    return create_feature_codec(encoder)
