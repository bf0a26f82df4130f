"""One reader for the caches of any number of drives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.drive_features import DriveFeatures
from distillnerf_core.teachers.features.quantised import quantise


def write(folder: Path, values: dict[str, float], given: str = "") -> None:
    """Writes a cache of constant features; `given` makes it one of another compression."""
    plan = CompressionPlan(kind="given" if given else "none", channels=2, given_sha256=given)
    cache = FeatureCache(folder, FeatureIndex(teacher="clip", description={}, margin_px=0.0, compression=plan))
    if given:
        np.savez(cache.compression_path, reduction_mat=np.eye(2), min=np.zeros(2), max=np.full(2, float(given)))
    for key, value in values.items():
        features = torch.stack((torch.full((2, 4), value), torch.full((2, 4), -value)))
        cache.write(key, quantise(features), (8, 16))


def value(features: DriveFeatures, drive: str) -> Tensor:
    return features.read(drive, "FRONT", 10, (4, 8)).features[0, 0, 0]


def test_drives_with_equal_clocks_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"a/FRONT/10": 1.0, "b/FRONT/10": 2.0})
    features = DriveFeatures(tmp_path)
    assert value(features, "a") == 1.0 and value(features, "b") == 2.0
    assert features.compression_path is None
    with pytest.raises(DataError, match="no features of image 'c/FRONT/10'"):
        value(features, "c")


def test_each_drive_may_have_a_folder_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a", {"FRONT/10": 1.0}, "3")
    write(tmp_path / "b", {"b/FRONT/10": 2.0}, "3")
    features = DriveFeatures(tmp_path)
    assert value(features, "a") == 1.0 and value(features, "b") == 2.0
    assert features.compression_path == tmp_path / "a" / "reduction_pca.npz"


def test_caches_without_names_of_drives_are_read(tmp_path: Path) -> None:
    write(tmp_path, {"FRONT/10": 3.0})
    assert value(DriveFeatures(tmp_path), "whatever") == 3.0


def test_what_hangs_not_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="distillnerf extract-features"):
        DriveFeatures(tmp_path)
    write(tmp_path / "a", {}, "3")
    write(tmp_path / "b", {}, "4")
    with pytest.raises(DataError, match="a and b have different models, settings or compressions"):
        DriveFeatures(tmp_path)


def test_a_mask_leaves_pixels_out(tmp_path: Path) -> None:
    write(tmp_path, {"a/FRONT/10": 1.0})
    masked = torch.zeros(8, 16, dtype=torch.bool)
    masked[:4] = True
    image = DriveFeatures(tmp_path).read("a", "FRONT", 10, (4, 8), masked)
    assert not image.valid[:2].any() and image.valid[2:].all()
    assert image.features[:, :2].isnan().all()
