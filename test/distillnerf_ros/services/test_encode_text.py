"""/encode_text: texts as vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import EncodeText, QueryText

Response = QueryText.Response


def test_vectors_are_those_of_the_checkpoint_s_space(street: Any, ask: Callable[..., Any]) -> None:
    texts = ["car", "oak tree", "自転車"]
    answer = ask(street, EncodeText, "encode_text", texts=texts)
    assert (answer.success, answer.space, answer.dimensions) == (True, "fake", 16)
    vectors = np.array(answer.vectors).reshape(3, 16)
    expected = street.node._pipeline.language.encode_texts(texts)
    np.testing.assert_allclose(vectors, expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        ([], "give at least one"),
        (["car", " "], "texts[1]"),
        (["x" * 300], "max_text_length"),
        (["a"] * 65, "max_texts"),
    ],
)
def test_senseless_texts_are_refused(street: Any, ask: Callable[..., Any], texts: list[str], word: str) -> None:
    answer = ask(street, EncodeText, "encode_text", texts=texts)
    assert (answer.success, answer.status) == (False, Response.BAD_REQUEST)
    assert word in answer.message


def test_a_checkpoint_without_texts_says_so(
    make_world: Callable[..., Any], reference_weights: Callable[[str], Any], ask: Callable[..., Any]
) -> None:
    world = make_world(model__checkpoint=str(reference_weights("reference-linear")))
    world.activate()
    answer = ask(world, EncodeText, "encode_text", texts=["car"])
    assert (answer.success, answer.status) == (False, Response.NO_LANGUAGE)
    assert "renders colour" in answer.message
