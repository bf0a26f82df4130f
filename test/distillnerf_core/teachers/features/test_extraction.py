import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.language.affine_compression import AffineCompression
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.clip import ClipTeacher, load_clip_teacher
from distillnerf_core.teachers.features.extraction import (
    extract_features,
    run_teacher,
    sample_cells,
    spread_images,
)
from distillnerf_core.teachers.features.fitting import TokenFiles, save_compression
from distillnerf_core.teachers.features.sources import SourceImage
from distillnerf_core.teachers.features.teacher import ImageBatch


class Images:
    """Seeded noise; counts how often pixels are read."""

    def __init__(self, sizes: list[tuple[int, int]], masked_rows: int = 0) -> None:
        self._sizes = sizes
        self._masked = masked_rows
        self.reads = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[SourceImage]:
        for number, size in enumerate(self._sizes):
            yield SourceImage(f"CAM/{number}", lambda n=number, s=size: self._read(n, s), self._valid)  # type: ignore[misc]

    def _read(self, number: int, size: tuple[int, int]) -> np.ndarray:
        self.reads += 1
        return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)

    def _valid(self, height: int, width: int) -> np.ndarray | None:
        if not self._masked:
            return None
        valid = np.ones((height, width), dtype=bool)
        valid[height - self._masked :] = False
        return valid


def cache_at(folder: Path, teacher: ClipTeacher, kind: str = "none") -> FeatureCache:
    plan = CompressionPlan.model_validate({"kind": kind, "channels": 10})
    return FeatureCache(folder, FeatureIndex(teacher="clip", description={}, margin_px=0.0, compression=plan))


def test_batches_change_nothing(clip_teacher: ClipTeacher) -> None:
    images = Images([(8, 8), (8, 8), (16, 8), (8, 8), (8, 8), (8, 8)])
    single = list(run_teacher(images, clip_teacher, 1, "cpu"))
    several = list(run_teacher(images, clip_teacher, 4, "cpu"))
    assert [item.key for item in several] == [f"CAM/{number}" for number in range(6)]
    for one, other in zip(single, several, strict=True):
        assert one.size == other.size
        torch.testing.assert_close(one.features, other.features)
    assert single[2].features.shape == (10, 4, 2)


def test_the_teachers_features_are_written_within_the_bound(tmp_path: Path, clip_teacher: ClipTeacher) -> None:
    images = Images([(8, 16), (8, 16)])
    compression = AffineCompression(torch.randn(10, 10), torch.full((10,), -2.0), torch.full((10,), 3.0))
    cache = cache_at(tmp_path, clip_teacher, "fitted")
    save_compression(cache.compression_path, compression)
    assert extract_features(images, clip_teacher, cache, compression, 2) == 2
    image = torch.from_numpy(next(iter(images)).read()).permute(2, 0, 1)[None] / 255.0
    raw = clip_teacher.features(ImageBatch(image))[0]
    expected = torch.einsum("drc,dk->krc", raw, compression.reduction)
    expected = (expected + 2.0) / 5.0
    stored, size = cache.read("CAM/0")
    assert size == (8, 16)
    error = (stored.restore() - expected).abs().amax(dim=(1, 2))
    assert (error <= stored.error_bound() + 1e-6).all()


def test_what_is_there_is_not_read_again(tmp_path: Path, clip_teacher: ClipTeacher) -> None:
    images = Images([(8, 8)] * 7)
    cache = cache_at(tmp_path, clip_teacher)
    assert extract_features(itertools.islice(images, 3), clip_teacher, cache, None, 2) == 3
    before = [cache.read(key)[0].codes for key in cache.keys]
    images.reads = 0
    assert extract_features(images, clip_teacher, cache, None, 2) == 4
    assert images.reads == 4
    assert len(cache.keys) == 7
    assert all(torch.equal(cache.read(f"CAM/{number}")[0].codes, codes) for number, codes in enumerate(before))


def test_an_interruption_keeps_what_was_done(tmp_path: Path, clip_teacher: ClipTeacher) -> None:
    images = Images([(8, 8)] * 5)

    def interrupted() -> Iterator[SourceImage]:
        yield from itertools.islice(images, 3)
        raise KeyboardInterrupt

    cache = cache_at(tmp_path, clip_teacher)
    with pytest.raises(KeyboardInterrupt):
        extract_features(interrupted(), clip_teacher, cache, None)
    assert len(cache.keys) in (2, 3)
    whole = cache_at(tmp_path / "whole", clip_teacher)
    extract_features(images, clip_teacher, whole, None)
    extract_features(images, clip_teacher, cache, None)
    assert cache.keys == whole.keys
    for key in whole.keys:
        assert torch.equal(cache.read(key)[0].codes, whole.read(key)[0].codes)


def test_cells_whose_patch_sees_the_vehicle_are_not_known(tmp_path: Path, clip_folder: Path) -> None:
    teacher = load_clip_teacher(clip_folder, stride_px=2, short_side_px=16)
    images = Images([(16, 16)], masked_rows=3)
    (taught,) = run_teacher(images, teacher, 1, "cpu")
    known = ~taught.features.isnan().any(dim=0)
    # Patches of 4 rows begin at 0, 2, ... 12; those that begin at 10 and 12 reach beyond row 12.
    assert known[:5].all() and not known[5:].any()
    cache = cache_at(tmp_path, teacher)
    extract_features(images, teacher, cache, None)
    assert torch.equal(cache.read("CAM/0")[0].valid, known)


def test_images_are_spread_evenly(clip_teacher: ClipTeacher) -> None:
    images = Images([(8, 8)] * 10)
    assert [image.key for image in spread_images(images, 4)] == ["CAM/0", "CAM/3", "CAM/6", "CAM/9"]
    assert len(list(spread_images(images, 99))) == 10


def test_the_sample_goes_on_where_it_stopped(tmp_path: Path, clip_teacher: ClipTeacher) -> None:
    images, sample = Images([(8, 8)] * 4), TokenFiles(tmp_path, 3, 0)
    sample_cells(itertools.islice(images, 2), clip_teacher, sample)
    images.reads = 0
    sample_cells(images, clip_teacher, sample)
    assert images.reads == 2
    assert [vectors.shape for vectors in sample] == [(3, 10)] * 4


class Broken(ClipTeacher):
    def features(self, batch: ImageBatch) -> Float[Tensor, "images channels rows columns"]:
        return torch.full((len(batch.images), 10, 2, 2), torch.inf)


def test_features_that_are_not_finite_name_the_image(clip_model: object) -> None:
    import transformers

    config = transformers.CLIPVisionConfig(hidden_size=16, num_attention_heads=2, image_size=8, patch_size=4)
    teacher = Broken(transformers.CLIPVisionModelWithProjection(config), short_side_px=8)
    with pytest.raises(DataError, match="image CAM/0: teacher clip gave features that are not finite"):
        list(run_teacher(Images([(8, 8)]), teacher, 1, "cpu"))
