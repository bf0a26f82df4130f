import math
from typing import Any

import pytest
import torch

from distillnerf_core.errors import LanguageError, QueryError
from distillnerf_core.language.classes import CLASS_COLORS
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.label_set import MAX_CLASSES, OCC3D_LABELS
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.perception.classes import (
    MAX_CHARACTERS,
    MAX_WORDS,
    checkpoint_classes,
    color_from_floats,
    named_classes,
)


@pytest.fixture
def language(codec: FeatureCodec, encoder: MiniLmEncoder) -> CodecTextSpace:
    return CodecTextSpace(codec, encoder)


def test_the_words_of_training_give_the_classes_of_the_checkpoint(language: CodecTextSpace) -> None:
    names = tuple(CLASS_PROMPTS)[:-1]
    classes = named_classes(language, names, ["|".join(CLASS_PROMPTS[name]) for name in names])
    expected = checkpoint_classes(language)
    assert classes.features is not None
    assert expected.features is not None
    torch.testing.assert_close(classes.features, expected.features)
    assert classes.labels.names == expected.labels.names
    assert classes.labels.colors == expected.labels.colors
    assert classes.solid_features is not None
    assert len(classes.solid_features) == 17


def test_a_name_is_its_own_prompt(language: CodecTextSpace) -> None:
    spoken = named_classes(language, ["traffic_light"])
    written = named_classes(language, ["traffic_light"], ["traffic light"])
    assert spoken.features is not None
    assert written.features is not None
    assert torch.equal(spoken.features, written.features)
    assert spoken.labels.titles == ("traffic light",)


def test_colours_are_the_caller_s_then_those_of_occ3d_then_different_ones(language: CodecTextSpace) -> None:
    names = ["forklift", "car", "pallet", "crate"]
    labels = named_classes(language, names, colors=[(1, 2, 3), None, None, None]).labels
    assert labels.colors[:2] == ((1, 2, 3), CLASS_COLORS[OCC3D_LABELS.names.index("car")])
    assert len(set(labels.colors)) == 4


def test_which_class_a_feature_shows_adds_up_to_one(language: CodecTextSpace) -> None:
    classes = named_classes(language, ["car", "tree", "road"])
    assert classes.solid_features is not None
    scores = language.contrast_classes(classes.solid_features).score(2.5 * classes.solid_features)
    torch.testing.assert_close(scores.sum(dim=0), torch.ones(3))
    assert scores.argmax(dim=0).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": []}, f"1 to {MAX_CLASSES} class names, got 0"),
        ({"names": [str(number) for number in range(MAX_CLASSES + 1)]}, f"got {MAX_CLASSES + 1}"),
        ({"names": ["car", " "]}, r"names\[1\] is empty"),
        ({"names": ["car", "tree", "car"]}, r"names\[2\] is 'car' again"),
        ({"names": ["free"]}, "without a class"),
        ({"names": ["car", "tree"], "prompts": ["car"]}, "2 prompts, one for each name, or none, got 1"),
        ({"names": ["car"], "prompts": ["car||van"]}, r"prompts\[0\]"),
        ({"names": ["car"], "prompts": ["|".join(["car"] * (MAX_WORDS + 1))]}, f"more than {MAX_WORDS}"),
        ({"names": ["car"], "colors": [(0, 0, 0)] * 2}, "1 colors"),
        ({"names": ["x" * (MAX_CHARACTERS + 1)]}, f"{MAX_CHARACTERS + 1} characters together"),
    ],
)
def test_senseless_classes_are_refused(language: CodecTextSpace, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        named_classes(language, **arguments)


def test_without_texts_there_are_the_classes_of_the_checkpoint_only() -> None:
    space = NoTexts("renders colour")
    assert checkpoint_classes(space).features is None
    with pytest.raises(LanguageError, match="renders colour"):
        named_classes(space, ["car"])


def test_colours_are_shares() -> None:
    assert color_from_floats(1.0, 0.0, 0.5, "colors[0]") == (255, 0, 128)
    for bad in (math.nan, -0.1, 1.5, math.inf):
        with pytest.raises(QueryError, match=r"colors\[3\]"):
            color_from_floats(0.0, bad, 0.0, "colors[3]")
