from pathlib import Path

import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.quantised import quantise
from distillnerf_core.teachers.features.reader import FeatureReader

HEIGHT, WIDTH, PATCH, STRIDE = 42, 70, 14, 7


def reader_of(folder: Path, values: Tensor, margin_px: float = 0.0, size: tuple[int, int] = (4, 6)) -> FeatureReader:
    plan = CompressionPlan(kind="none", channels=len(values))
    index = FeatureIndex(teacher="clip", description={}, margin_px=margin_px, compression=plan)
    FeatureCache(folder, index).write("a", quantise(values), size)
    return FeatureReader(folder)


def test_a_plane_stays_a_plane_at_any_size_also_of_overlapping_patches(tmp_path: Path) -> None:
    """A feature that is the place of its patch's middle is read as the place of each pixel's middle."""
    rows, columns = (HEIGHT - PATCH) // STRIDE + 1, (WIDTH - PATCH) // STRIDE + 1
    y = (PATCH / 2 + STRIDE * torch.arange(rows)) / HEIGHT
    x = (PATCH / 2 + STRIDE * torch.arange(columns)) / WIDTH
    values = torch.stack(torch.meshgrid(y, x, indexing="ij"))
    margin = (PATCH - STRIDE) / 2
    image = reader_of(tmp_path, values, margin, (HEIGHT, WIDTH)).read("a", 30, 50)
    expected = torch.stack(torch.meshgrid((torch.arange(30) + 0.5) / 30, (torch.arange(50) + 0.5) / 50, indexing="ij"))
    # Beyond the middles of the outermost patches there is nothing to interpolate to.
    low, high = torch.tensor([PATCH / 2 / HEIGHT, PATCH / 2 / WIDTH]), None
    high = 1 - low
    expected = expected.clamp(low[:, None, None], high[:, None, None])
    torch.testing.assert_close(image.features, expected, atol=0.003, rtol=0)
    assert image.valid.all()


def test_at_the_size_of_the_cells_the_stored_features_come_back(tmp_path: Path) -> None:
    values = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    reader = reader_of(tmp_path, values)
    restored, _ = reader.cache.read("a")
    torch.testing.assert_close(reader.read("a", 4, 6).features, restored.restore())


def test_unknown_cells_have_no_weight(tmp_path: Path) -> None:
    values = torch.full((1, 4, 6), 5.0)
    values[0, 0, 0] = 7.0
    values[0, :, 3:] = torch.nan
    image = reader_of(tmp_path, values).read("a", 8, 12)
    assert image.valid[:, :6].all() and not image.valid[:, 6:].any()
    assert image.features[:, ~image.valid].isnan().all()
    torch.testing.assert_close(image.features[0, 4:, :6], torch.full((4, 6), 5.0), atol=0.01, rtol=0)


def test_sky_and_ego_are_masked(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, torch.ones(2, 4, 6))
    sky, ego = torch.zeros(8, 12, dtype=torch.bool), torch.zeros(4, 3, dtype=torch.bool)
    sky[0, 5] = True  # a quarter of the pixel in row 0, column 2
    ego[3] = True
    image = reader.read("a", 4, 6, sky=sky, ego=ego)
    expected = torch.ones(4, 6, dtype=torch.bool)
    expected[0, 2] = False
    expected[3] = False
    assert torch.equal(image.valid, expected)
    assert torch.equal(image.features.isnan().any(dim=0), ~expected)


def test_images_that_are_not_there_are_named(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, torch.ones(2, 4, 6))
    assert "a" in reader and "b" not in reader
    with pytest.raises(DataError, match="no features of image 'b'"):
        reader.read("b", 2, 2)
