from collections.abc import Sequence

import pytest
import torch

from distillnerf_core.errors import CheckpointError, LanguageError
from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.language.codec import FeatureCodec, codec_from_state, create_feature_codec
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.language.vocabulary import VOCABULARY

_QUERIES = {
    "automobile": "car",
    "semi trailer truck": "trailer",
    "person walking": "pedestrian",
    "someone on foot": "pedestrian",
    "child": "pedestrian",
    "man": "pedestrian",
    "street sign": "manmade",
    "house": "manmade",
    "apartment block": "manmade",
    "skyscraper": "manmade",
    "lamp post": "manmade",
    "oak tree": "vegetation",
    "greenery": "vegetation",
    "foliage": "vegetation",
    "asphalt street": "driveable_surface",
    "street": "driveable_surface",
    "highway": "driveable_surface",
    "coach": "bus",
    "cyclist": "bicycle",
    "scooter": "motorcycle",
    "safety cone": "traffic_cone",
    "pavement": "sidewalk",
    "meadow": "terrain",
    "digger": "construction_vehicle",
    "concrete barrier": "barrier",
    "blue sky": "sky",
}
_FOREIGN = ("banana", "ocean", "piano", "democracy", "coffee", "spaceship", "submarine")


class _OtherEncoder:
    name = "another"

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.ones(len(texts), 384)


def test_every_class_has_prompts_in_the_order_of_the_ids(codec: FeatureCodec) -> None:
    assert (*CLASS_NAMES, "sky") == codec.class_names == tuple(CLASS_PROMPTS)
    torch.testing.assert_close(codec.class_features.norm(dim=1), torch.ones(18))


def test_no_word_of_the_open_vocabulary_test_is_a_prompt() -> None:
    prompts = {word for words in CLASS_PROMPTS.values() for word in words}
    assert not prompts & set(_QUERIES)
    assert not any(word in prompt for word in ("automobile", "oak", "house", "asphalt") for prompt in prompts)


def test_vocabulary_has_no_duplicates() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY) > 250


@pytest.mark.parametrize(("word", "name"), _QUERIES.items())
def test_a_word_is_nearest_to_its_class(codec: FeatureCodec, encoder: MiniLmEncoder, word: str, name: str) -> None:
    cosine = (codec.encode_text(encoder, [word]) @ codec.class_features.T)[0]
    assert codec.class_names[int(cosine.argmax())] == name


def test_foreign_words_resemble_no_class(codec: FeatureCodec, encoder: MiniLmEncoder) -> None:
    assert float((codec.encode_text(encoder, _FOREIGN) @ codec.class_features.T).max()) < 0.45


def test_classes_are_well_apart(codec: FeatureCodec) -> None:
    cosine = codec.class_features @ codec.class_features.T - 2 * torch.eye(18)
    assert float(cosine.max()) < 0.7


def test_a_codec_survives_a_checkpoint(codec: FeatureCodec) -> None:
    restored = codec_from_state(codec.to_state())
    assert restored.class_names == codec.class_names
    assert restored.encoder_name == codec.encoder_name
    assert restored.channels == codec.channels
    assert torch.equal(restored.class_features, codec.class_features)
    assert torch.equal(restored.pca.basis, codec.pca.basis)


@pytest.mark.parametrize("name", ["mean", "basis", "class_features", "info"])
def test_a_damaged_state_is_a_checkpoint_error(codec: FeatureCodec, name: str) -> None:
    state = codec.to_state()
    with pytest.raises(CheckpointError, match=name):
        codec_from_state({key: value for key, value in state.items() if key != name})
    with pytest.raises(CheckpointError):
        codec_from_state({**state, name: state[name][:5]})


def test_another_encoder_is_refused(codec: FeatureCodec) -> None:
    with pytest.raises(LanguageError, match="all-MiniLM-L6-v2"):
        codec.encode_text(_OtherEncoder(), ["car"])


def test_too_many_channels_are_refused(encoder: MiniLmEncoder) -> None:
    with pytest.raises(LanguageError, match="channels"):
        create_feature_codec(encoder, channels=1000)
