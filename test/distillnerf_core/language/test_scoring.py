from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.prompts import GENERIC_NEGATIVES
from distillnerf_core.language.scoring import keep_negatives, score


def test_a_score_is_the_softmax_of_the_text_against_the_negatives() -> None:
    generator = torch.Generator().manual_seed(0)
    features, texts, negatives = (torch.randn(n, 8, generator=generator) for n in (20, 3, 5))
    unit = features / features.norm(dim=1, keepdim=True)
    for found, text in zip(score(features, texts, negatives, temperature=0.3), texts, strict=True):
        logits = unit @ torch.cat((text[None], negatives)).T / 0.3
        torch.testing.assert_close(found, logits.softmax(dim=1)[:, 0])


def test_scores_equal_the_reference_formula(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "open_vocab.npz")
    feature = torch.from_numpy(golden["feat"]).reshape(-1, 64)
    texts = torch.nn.functional.normalize(torch.from_numpy(golden["text_reduced"]), dim=1)
    others = ~torch.eye(5, dtype=torch.bool)
    found = score(feature, texts, texts, kept=others, temperature=0.001)
    expected = torch.from_numpy(golden["similarity"]).reshape(-1, 5).T
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0.0)


def test_without_negatives_the_score_is_the_cosine() -> None:
    features = torch.tensor([[2.0, 0.0], [-3.0, 0.0], [0.0, 1.0]])
    found = score(features, torch.tensor([[1.0, 0.0]]), torch.zeros(0, 2))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0, 0.5]]))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 1.0]))
def test_scores_lie_between_0_and_1_and_texts_do_not_compete(seed: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    features, texts, negatives = (torch.randn(n, 6, generator=generator) for n in (9, 4, 3))
    features[0] = 0
    found = score(features, texts, negatives, temperature=temperature)
    assert bool(((found >= 0) & (found <= 1)).all())
    torch.testing.assert_close(found[2:3], score(features, texts[2:3], negatives, temperature=temperature))


def test_only_the_nearest_class_is_no_negative() -> None:
    negatives = torch.eye(3)
    texts = torch.tensor([[0.9, 0.3, 0.0], [0.1, 0.15, 0.0], [0.0, 0.4, 0.39]])
    kept = keep_negatives(texts, negatives, similarity=0.2)
    assert kept.tolist() == [[False, True, True], [True, True, True], [True, False, True]]
    assert keep_negatives(texts, negatives[:0]).shape == (3, 0)


@pytest.mark.parametrize(
    ("word", "name", "least"),
    [
        ("automobile", "car", 0.9),
        ("person walking", "pedestrian", 0.5),
        ("oak tree", "vegetation", 0.6),
        ("house", "manmade", 0.5),
        ("street", "driveable_surface", 0.4),
    ],
)
def test_words_find_their_class_and_no_other(
    codec: FeatureCodec, encoder: MiniLmEncoder, word: str, name: str, least: float
) -> None:
    found = _class_scores(codec, encoder, word)
    right = codec.class_names.index(name)
    assert float(found[right]) > least
    found[right] = 0
    assert float(found.max()) < 0.1


@pytest.mark.parametrize("word", ["banana", "piano", "democracy", "spaceship"])
def test_foreign_words_find_nothing(codec: FeatureCodec, encoder: MiniLmEncoder, word: str) -> None:
    assert float(_class_scores(codec, encoder, word).max()) < 0.4


def _class_scores(codec: FeatureCodec, encoder: MiniLmEncoder, word: str) -> torch.Tensor:
    text = codec.encode_text(encoder, [word])
    generic = codec.encode_text(encoder, GENERIC_NEGATIVES)
    kept = keep_negatives(text, codec.class_features)
    kept = torch.cat((kept, torch.ones(1, len(generic), dtype=torch.bool)), dim=1)
    return score(codec.class_features, text, torch.cat((codec.class_features, generic)), kept)[0]
