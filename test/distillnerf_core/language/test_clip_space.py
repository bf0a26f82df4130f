import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.affine_compression import AffineCompression, load_affine_compression
from distillnerf_core.language.clip_space import ClipTextSpace, CompetingTexts, open_clip_space
from distillnerf_core.language.clip_text import ClipTextEncoder
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.language.text_space import EncodedQuery, NoTexts, TextSpace

pytest.importorskip("transformers")


class _Golden(ClipTextEncoder):
    """Knows the embeddings of the golden file, by position."""

    def __init__(self, embeddings: torch.Tensor) -> None:
        super().__init__(Path("unused"))
        self._embeddings = embeddings

    def embed(self, texts: object) -> torch.Tensor:
        assert isinstance(texts, list)
        assert all(text.startswith("a photo of a ") for text in texts)
        return self._embeddings[[int(text.rsplit(maxsplit=1)[-1]) for text in texts]]


class _Compass(ClipTextEncoder):
    """Gives every class a direction of its own among eighteen; other words are far from all."""

    def __init__(self) -> None:
        super().__init__(Path("unused"))
        self._axes = {word: axis for axis, words in enumerate(CLASS_PROMPTS.values()) for word in words}

    def embed(self, texts: object) -> torch.Tensor:
        assert isinstance(texts, list)
        axes = [self._axes.get(text.removeprefix("a photo of a "), 18) for text in texts]
        # All texts have much in common, as CLIP's do.
        return 3.0 * (torch.eye(20)[axes] + torch.eye(20)[19])


@pytest.fixture(scope="module")
def compass() -> ClipTextSpace:
    compression = AffineCompression(torch.eye(20), torch.zeros(20), torch.ones(20))
    classes = normalize(torch.eye(20)[:18] + torch.eye(20)[19], dim=1)
    return ClipTextSpace(_Compass(), compression, classes)


def _golden_space(golden_dir: Path, tmp_path: Path) -> tuple[ClipTextSpace, dict[str, torch.Tensor]]:
    with np.load(golden_dir / "open_vocab.npz") as archive:
        golden = {name: torch.from_numpy(archive[name]) for name in archive.files}
    path = tmp_path / "clip_reduction_pca.npz"
    np.savez(path, reduction_mat=golden["reduction"], min=golden["min"], max=golden["max"])
    space = ClipTextSpace(_Golden(golden["text"]), load_affine_compression(path), torch.eye(18, 64))
    return space, golden


def test_scores_equal_the_official_ones(golden_dir: Path, tmp_path: Path) -> None:
    space, golden = _golden_space(golden_dir, tmp_path)
    pixels = golden["feat"].reshape(-1, 64)
    expected = golden["similarity"].reshape(-1, 5).T
    found = space.encode_query(["0", "1", "2", "3", "4"]).score(pixels)
    # A cosine is known to about 1e-7, and the temperature makes that 1e-4.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=5e-4)
    voxels = space.voxel_features((pixels + 1) / 2)
    torch.testing.assert_close(space.encode_query(["0", "1", "2", "3", "4"]).score(voxels), found, rtol=0, atol=2e-3)
    some = space.encode_query(["2", "3"], negatives=["0", "1", "4"]).score(pixels)
    torch.testing.assert_close(some, expected[2:4], rtol=1e-5, atol=5e-4)


def test_cosines_equal_the_official_ones(golden_dir: Path, tmp_path: Path) -> None:
    space, golden = _golden_space(golden_dir, tmp_path)
    warm = space.encode_query(["0", "1", "2", "3", "4"], temperature=1.0)
    logarithms = warm.score(golden["feat"].reshape(-1, 64)).log()
    cosine = golden["cosine"].reshape(-1, 5).T
    torch.testing.assert_close(logarithms - logarithms[:1], cosine - cosine[:1], rtol=1e-5, atol=1e-6)


def test_texts_compete_and_lengths_do_not_count() -> None:
    query = CompetingTexts(torch.tensor([[2.0, 0.0], [0.0, 0.5]]), 2, 0.001)
    features = torch.tensor([[3.0, 0.1], [0.1, 9.0], [0.0, 0.0]])
    scores = query.score(features)
    torch.testing.assert_close(scores, torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]))
    torch.testing.assert_close(query.score(5.0 * features), scores)


@pytest.mark.parametrize("texts", [["car"], ["car", "car"]])
def test_a_text_alone_competes_with_the_classes_that_mean_something_else(
    compass: ClipTextSpace, texts: list[str]
) -> None:
    query = compass.encode_query(texts)
    assert len(query.words) == len(texts) + 17
    scores = query.score(compass.class_features)
    car = list(CLASS_PROMPTS).index("car")
    others = [row for row in range(18) if row != car]
    torch.testing.assert_close(scores[:, car], torch.full((len(texts),), 1 / len(texts)))
    assert float(scores[:, others].max()) < 1e-6


def test_a_word_unlike_all_classes_competes_with_all_of_them(compass: ClipTextSpace) -> None:
    query = compass.encode_query(["piano"], default_negatives=["object", "road"])
    assert len(query.words) == 1 + 18 + 2
    assert float(query.score(compass.class_features).max()) < 1e-6


def test_classes_do_not_compete_with_several_texts(compass: ClipTextSpace) -> None:
    assert len(compass.encode_query(["car", "tree"], default_negatives=["object"]).words) == 2
    assert len(compass.encode_query(["car"], ["tree"], ["object"]).words) == 2


def test_the_files_make_a_space(clip_folder: Path, clip_compression: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        space = open_clip_space(clip_folder, clip_compression, 64)
    assert caplog.text.count("competes with the class words") == 1
    assert isinstance(space, TextSpace)
    assert isinstance(space, ClipTextSpace)
    assert space.class_features.shape == (18, 64)
    torch.testing.assert_close(space.class_features.norm(dim=1), torch.ones(18))
    bus = space.compression.encode_queries(space.encoder, ["bus", "buses"])
    expected = normalize(normalize(bus, dim=1).mean(dim=0), dim=0)
    torch.testing.assert_close(space.class_features[list(CLASS_PROMPTS).index("bus")], expected)
    assert isinstance(space.to("cpu").encode_query(["car"]), EncodedQuery)
    with pytest.raises(LanguageError, match="text 1 is empty"):
        space.encode_query(["car", ""])


def test_unusable_files_are_a_reason(clip_folder: Path, clip_compression: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, reduction_mat=np.ones((768, 64)), min=np.zeros(64), max=np.ones(64))
    cases = {
        "takes 768 dimensions, the text encoder gives 10": (clip_folder, other, 64),
        "64 channels, the checkpoint's features have 32": (clip_folder, clip_compression, 32),
        "none.npz does not exist": (clip_folder, tmp_path / "none.npz", 64),
        "cannot be read": (clip_folder, clip_folder / "config.json", 64),
        "lacks config.json": (tmp_path, clip_compression, 64),
    }
    for words, (folder, file, channels) in cases.items():
        space = open_clip_space(folder, file, channels)
        assert isinstance(space, NoTexts)
        assert space.faulty
        assert words in space.reason
        assert "/query_text get no answer" in space.reason
        with pytest.raises(LanguageError, match=r"labelled `others`"):
            space.encode_query(["car"])
