import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import DataError
from distillnerf_core.language.affine_compression import AffineCompression
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.fitting import save_compression
from distillnerf_core.teachers.features.quantised import QuantisedFeatures, quantise

ROOT = Path(__file__).resolve().parents[4]


def index(**changes: object) -> FeatureIndex:
    values = {
        "teacher": "clip",
        "description": {"model": "test", "weights_sha256": "00"},
        "margin_px": 3.5,
        "compression": CompressionPlan(kind="none", channels=2),
    }
    return FeatureIndex.model_validate(values | changes)


def features(seed: int = 0) -> QuantisedFeatures:
    values = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(seed))
    values[0, 1, 2] = torch.nan
    return quantise(values)


def equal(first: QuantisedFeatures, second: QuantisedFeatures) -> bool:
    return all(
        torch.equal(getattr(first, name), getattr(second, name)) for name in ("codes", "lower", "upper", "valid")
    )


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    filled = FeatureCache(tmp_path / "features", index())
    filled.write("CAM_FRONT/123", features(), (70, 98))
    return filled


def path_of(cache: FeatureCache) -> Path:
    return cache.folder / "images" / "CAM_FRONT" / "123.safetensors"


def test_what_is_written_is_read(cache: FeatureCache) -> None:
    cache.write("CAM_BACK/5", features(1), (56, 56))
    reopened = FeatureCache(cache.folder)
    assert reopened.index == index()
    assert reopened.keys == ("CAM_BACK/5", "CAM_FRONT/123")
    assert "CAM_BACK/5" in reopened and "CAM_BACK/6" not in reopened
    stored, size = reopened.read("CAM_FRONT/123")
    assert equal(stored, features()) and size == (70, 98)


def test_the_description_names_format_version_and_model(cache: FeatureCache) -> None:
    content = json.loads((cache.folder / "index.json").read_text())
    assert (content["format"], content["version"]) == ("distillnerf-features", 1)
    assert content["description"] == {"model": "test", "weights_sha256": "00"}


def test_an_image_takes_a_byte_a_number_and_a_little(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, index())
    cache.write("a", quantise(torch.rand(64, 85, 152)), (602, 1071))
    size = (tmp_path / "images" / "a.safetensors").stat().st_size
    assert 0 < size - 64 * 85 * 152 < 0.02 * 64 * 85 * 152


def test_a_changed_byte_is_noticed(cache: FeatureCache) -> None:
    """Everywhere in the file: what describes the features as well as the features."""
    path = path_of(cache)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"123\.safetensors"):
            cache.read("CAM_FRONT/123")


def test_features_are_as_readable_as_their_description(cache: FeatureCache) -> None:
    assert path_of(cache).stat().st_mode == (cache.folder / "index.json").stat().st_mode


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_cut_file_is_refused(cache: FeatureCache, kept: int) -> None:
    path = path_of(cache)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="damaged features"):
        cache.read("CAM_FRONT/123")


def test_a_file_in_the_place_of_another_is_refused(cache: FeatureCache) -> None:
    path_of(cache).rename(path_of(cache).with_name("124.safetensors"))
    with pytest.raises(DataError, match="checksum or key differ"):
        cache.read("CAM_FRONT/124")
    with pytest.raises(DataError, match="holds no features of image 'CAM_FRONT/123'"):
        cache.read("CAM_FRONT/123")


def test_other_settings_are_refused_by_name(cache: FeatureCache) -> None:
    FeatureCache(cache.folder, index())
    with pytest.raises(DataError, match=r"other settings \(margin_px, weights_sha256 differ\)"):
        FeatureCache(cache.folder, index(margin_px=0.0, description={"model": "test", "weights_sha256": "11"}))


def test_features_of_another_compression_are_refused(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, index(compression=CompressionPlan(kind="fitted", channels=2, images=1, cells=9)))
    with pytest.raises(DataError, match=r"reduction_pca\.npz is missing"):
        cache.write("a", features(), (70, 98))
    save_compression(cache.compression_path, AffineCompression(torch.eye(2), torch.zeros(2), torch.ones(2)))
    cache.write("a", features(), (70, 98))
    save_compression(cache.compression_path, AffineCompression(torch.eye(2), torch.zeros(2), 2 * torch.ones(2)))
    with pytest.raises(DataError, match="another compression"):
        FeatureCache(tmp_path).read("a")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": "other"}', '{"format": "distillnerf-features", "version": 1}']
)
def test_a_damaged_description_is_refused(cache: FeatureCache, content: str) -> None:
    (cache.folder / "index.json").write_text(content)
    with pytest.raises(DataError, match=r"index\.json"):
        FeatureCache(cache.folder)


def test_a_folder_without_features_says_how_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="distillnerf extract-features"):
        FeatureCache(tmp_path)


@pytest.mark.parametrize("key", ["../outside", "/outside", "CAM/../../../outside"])
def test_names_of_strangers_stay_in_the_folder(cache: FeatureCache, key: str) -> None:
    with pytest.raises(DataError, match="cannot name a file"):
        cache.write(key, features(), (70, 98))


def test_a_process_killed_while_it_writes_leaves_whole_files_only(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys, threading, torch
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from distillnerf_core.teachers.features.cache import *
from distillnerf_core.teachers.features.quantised import quantise
plan = CompressionPlan(kind="none", channels=64)
cache = FeatureCache(
    Path({str(tmp_path)!r}), FeatureIndex(teacher="clip", description={{}}, margin_px=0.0, compression=plan)
)
features = quantise(torch.rand(64, 85, 152))
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
for number in range(100_000):
    cache.write(f"CAM/{{number % 500}}", features, (602, 1071))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    cache = FeatureCache(tmp_path)
    assert cache.keys
    for key in cache.keys:
        cache.read(key)
