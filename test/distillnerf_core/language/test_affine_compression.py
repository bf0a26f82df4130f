from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.affine_compression import AffineCompression, load_affine_compression
from distillnerf_core.language.clip_text import ClipTextEncoder


class _Encoder(ClipTextEncoder):
    """Embeds a text as its length, thrice."""

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[float(len(text))] * 3 for text in texts])


def _arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {"reduction_mat": random.normal(size=(6, 4)), "min": -np.ones(4), "max": np.array([1.0, 2.0, 3.0, 4.0])}


def _write(path: Path, **changes: np.ndarray | None) -> Path:
    values = {**_arrays(), **changes}
    kept: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    np.savez(path, **kept)
    return path


def test_the_reduction_equals_the_official_one(golden_dir: Path, tmp_path: Path) -> None:
    golden = np.load(golden_dir / "open_vocab.npz")
    path = tmp_path / "clip_reduction_pca.npz"
    np.savez(path, reduction_mat=golden["reduction"], min=golden["min"], max=golden["max"])
    reduced = load_affine_compression(path).reduce(torch.from_numpy(golden["text"]))
    torch.testing.assert_close(reduced, torch.from_numpy(golden["text_reduced"]), rtol=1e-5, atol=1e-6)


def test_queries_are_put_into_the_published_sentence() -> None:
    compression = AffineCompression(torch.eye(3)[:, :2], torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 2.0]))
    length = len("a photo of a car")
    found = compression.encode_queries(_Encoder(Path("unused")), ["car"])
    torch.testing.assert_close(found, torch.tensor([[(length + 1) / 2, length / 2]]))
    assert compression.to("cpu").upper.tolist() == [1.0, 2.0]


def test_an_encoder_of_other_dimensions_is_refused() -> None:
    compression = AffineCompression(torch.ones(7, 2), torch.zeros(2), torch.ones(2))
    with pytest.raises(LanguageError, match=r"7 dimensions.* gives 3.*clip-vit-large"):
        compression.encode_queries(_Encoder(Path("unused")), ["car"])


def test_a_file_of_double_precision_is_read_as_single(tmp_path: Path) -> None:
    compression = load_affine_compression(_write(tmp_path / "pca.npz"))
    assert compression.reduction.dtype == torch.float32
    assert compression.reduction.shape == (6, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min": None, "max": None}, "lacks min, max"),
        ({"min": np.ones(3)}, r"min \(3,\)"),
        ({"max": np.array([1.0, 2.0, 3.0, -1.0])}, "max above min"),
        ({"max": np.array([1.0, 2.0, 3.0, np.nan])}, "finite"),
        ({"min": np.array([{}, {}, {}, {}])}, "cannot be read"),
        ({"min": np.array(["a", "b", "c", "d"])}, "cannot be read"),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        load_affine_compression(_write(tmp_path / "pca.npz", **changes))


def test_a_missing_or_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match="published with the checkpoint"):
        load_affine_compression(tmp_path / "none.npz")
    path = _write(tmp_path / "pca.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LanguageError, match="cannot be read"):
        load_affine_compression(path)
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(LanguageError, match="cannot be read"):
        load_affine_compression(tmp_path / "array.npy")
