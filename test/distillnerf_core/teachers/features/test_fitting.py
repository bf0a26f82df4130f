"""The fitted compression is read as the published one is, and texts can be compared through it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn.functional import cosine_similarity, normalize

from distillnerf_core.errors import DataError
from distillnerf_core.language.affine_compression import AffineCompression, load_affine_compression
from distillnerf_core.language.clip_text import ClipTextEncoder
from distillnerf_core.teachers.features.clip import load_clip_teacher
from distillnerf_core.teachers.features.fitting import TokenFiles, fit_compression, save_compression
from distillnerf_core.teachers.features.teacher import ImageBatch

WORDS = ["car", "tree", "road", "person", "house"]


def tokens(count: int = 400, dimensions: int = 10) -> np.ndarray:
    random = np.random.default_rng(0)
    mixed = random.normal(size=(count, dimensions)) @ random.normal(size=(dimensions, dimensions))
    return (mixed + 3.0).astype(np.float32)


def saved(path: Path, compression: AffineCompression) -> AffineCompression:
    save_compression(path / "pca.npz", compression)
    return load_affine_compression(path / "pca.npz")


def test_it_is_scikit_learns_projection_stretched_to_the_unit_cube(tmp_path: Path) -> None:
    data = tokens()
    compression = saved(tmp_path, fit_compression(np.split(data, 8), 4))
    projected = PCA(n_components=4, svd_solver="full").fit_transform(data.astype(np.float64))
    low, high = projected.min(axis=0), projected.max(axis=0)
    expected = (projected - low) / (high - low)
    got = compression.reduce(torch.from_numpy(data)).numpy()
    flipped = np.sign((expected - 0.5) * (got - 0.5)).sum(axis=0) < 0
    expected[:, flipped] = 1.0 - expected[:, flipped]
    np.testing.assert_allclose(got, expected, atol=2e-5)
    assert got.min() == pytest.approx(0.0, abs=1e-5) and got.max() == pytest.approx(1.0, abs=1e-5)


def test_cosines_with_texts_survive_where_all_channels_are_kept(clip_folder: Path, tmp_path: Path) -> None:
    teacher, encoder = load_clip_teacher(clip_folder, stride_px=1), ClipTextEncoder(clip_folder)
    images = torch.rand(4, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    features = teacher.features(ImageBatch(images)).permute(0, 2, 3, 1).flatten(0, 2)
    compression = saved(tmp_path, fit_compression([features.numpy()], 10))

    def unstretched(rows: torch.Tensor) -> torch.Tensor:
        return rows * (compression.upper - compression.lower) + compression.lower

    texts = encoder.embed([f"a photo of a {word}" for word in WORDS])
    reduced = unstretched(compression.encode_queries(encoder, WORDS))
    before = cosine_similarity(features[:, None], texts[None], dim=2)
    after = cosine_similarity(unstretched(compression.reduce(features))[:, None], reduced[None], dim=2)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)


def test_fewer_channels_still_tell_which_text_a_feature_resembles(clip_folder: Path, tmp_path: Path) -> None:
    encoder = ClipTextEncoder(clip_folder)
    texts = encoder.embed([f"a photo of a {word}" for word in WORDS])
    truth = torch.arange(len(WORDS)).repeat_interleave(100)
    noise = torch.randn(len(truth), 10, generator=torch.Generator().manual_seed(0))
    features = texts[truth] + noise * 0.1 * (texts - texts.mean(dim=0)).std()
    compression = saved(tmp_path, fit_compression([features.numpy()], 4))
    # The published comparison: cosines in the stretched space (reference network, section 4.8).
    words = normalize(compression.encode_queries(encoder, WORDS), dim=1)
    best = (normalize(compression.reduce(features), dim=1) @ words.T).argmax(dim=1)
    assert (best == truth).float().mean() > 0.95


def test_a_channel_that_does_not_vary_is_refused() -> None:
    data = tokens(dimensions=3)
    data[:, 2] = data[:, 0]
    flat = np.zeros((20, 3), np.float32)
    with pytest.raises(DataError, match="3 of 3 channels do not vary"):
        fit_compression([flat], 3)
    with pytest.raises(DataError, match="no cell"):
        fit_compression([], 3)


def test_the_sample_is_seeded_and_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    features = torch.arange(2 * 6 * 8, dtype=torch.float32).reshape(2, 6, 8)
    features[0, 2, 3] = torch.nan
    samples = [TokenFiles(tmp_path / str(number), 20, seed) for number, seed in enumerate((0, 0, 1))]
    for sample in samples:
        assert "CAM/1" not in sample
        sample.add("CAM/1", features)
        assert "CAM/1" in sample
    first, again, other = (next(iter(sample)) for sample in samples)
    assert first.shape == (20, 2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first[:, 0])) == 20  # without replacement
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first[:, 1] - first[:, 0], 48.0)  # whole vectors
    whole = TokenFiles(tmp_path / "whole", 1000, 0)
    whole.add("CAM/1", features)
    assert next(iter(whole)).shape == (47, 2)
    whole.clear()
    assert list(whole) == []


def test_a_damaged_sample_is_named(tmp_path: Path) -> None:
    sample = TokenFiles(tmp_path, 5, 0)
    sample.add("a", torch.zeros(2, 3, 3))
    next(tmp_path.glob("*.npy")).write_bytes(b"cut")
    with pytest.raises(DataError, match="damaged sample"):
        list(sample)
