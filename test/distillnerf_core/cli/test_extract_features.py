"""The command from images to features, a compression, a cache and a picture."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from nuscenes_download import write_download
from typer.testing import CliRunner

from distillnerf_core.cli.extract_features import app
from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.language.affine_compression import load_affine_compression
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.features.clip import load_clip_teacher
from distillnerf_core.teachers.features.reader import FeatureReader
from distillnerf_core.teachers.features.teacher import ImageBatch


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    simulation = SimulationConfig(height=36, width=64, supersampling=1)
    list(write_dataset(folder, DatasetConfig(scenes=2, simulation=simulation)))
    return folder


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def clip(folder: Path, out: Path) -> list[object]:
    return ["--model", "clip", "--weights", folder, "--out", out, "--short-side", 36, "--channels", 6]


def test_clip_from_streets_to_features(streets: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = run(streets, *clip(clip_folder, out), "--pca-from", 5, "--stride", 2, "--batch-size", 4)
    assert done.exit_code == 0, done.output
    assert "12 images written, 12 in all" in done.output
    assert not (out / "sample").exists()
    picture = cv2.imread(str(out / "features.png"))
    assert picture is not None
    assert picture.shape == (6 * 270, 960, 3)
    frame = SimulatedDataset(streets)[1].frame
    key = f"{frame.rig.names[2]}/scene_000001_frame_00"
    compression = load_affine_compression(out / "reduction_pca.npz")
    teacher = load_clip_teacher(clip_folder, stride_px=2, short_side_px=36)
    raw = teacher.features(ImageBatch(frame.images[2:3]))[0]
    expected = compression.reduce(raw.flatten(1).T).T.reshape(6, *raw.shape[1:])
    stored, size = FeatureReader(out).cache.read(key)
    assert size == (36, 64)
    assert ((stored.restore() - expected).abs().amax(dim=(1, 2)) <= stored.error_bound() + 1e-5).all()


def test_again_it_goes_on_and_other_settings_are_refused(streets: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "features"
    run(streets, *clip(clip_folder, out))
    missing = next((out / "images").rglob("*.safetensors"))
    content = missing.read_bytes()
    missing.unlink()
    again = run(streets, *clip(clip_folder, out))
    assert "1 images written, 12 in all" in again.output
    assert len(missing.read_bytes()) == len(content)
    with pytest.raises(DataError, match=r"other settings \(margin_px, stride_px differ\)"):
        run(streets, *clip(clip_folder, out), "--stride", 2)


@pytest.fixture(scope="module")
def uninterrupted(streets: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    assert run(streets, *clip(clip_folder, out)).exit_code == 0
    return out


def test_shards_together_are_the_whole(streets: Path, clip_folder: Path, uninterrupted: Path, tmp_path: Path) -> None:
    out = tmp_path / "sharded"
    command = (streets, *clip(clip_folder, out))
    with pytest.raises(DataError, match="--compression-only instead of --shard"):
        run(*command, "--shard", "1/2")
    assert "ready for all shards" in run(*command, "--compression-only").output
    assert not (out / "images").exists()
    for shard, written in (("1/2", 6), ("0/2", 6), ("1/2", 0)):
        assert f"{written} images written" in run(*command, "--shard", shard).output
    first, second = FeatureReader(out), FeatureReader(uninterrupted)
    assert first.cache.keys == second.cache.keys
    for key in second.cache.keys:
        assert torch.equal(first.cache.read(key)[0].codes, second.cache.read(key)[0].codes)
    assert (out / "features.png").is_file()


_KILLED_WHILE_A_FILE_IS_PUT_IN_PLACE = """
import os, pathlib, signal, sys
calls, fatal, replace = 0, int(sys.argv.pop(1)), pathlib.Path.replace
def replace_or_die(self, target):
    global calls
    calls += 1
    if calls == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = replace_or_die
from distillnerf_core.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("moment", "samples", "images"),
    # The files in their order: the description, a sample of each of 12 images, the compression, the images.
    [(5, 3, 0), (14, 12, 0), (18, 0, 3)],
)
def test_a_killed_run_is_resumed_to_the_same_result(
    streets: Path, clip_folder: Path, uninterrupted: Path, tmp_path: Path, moment: int, samples: int, images: int
) -> None:
    out = tmp_path / "killed"
    arguments = ["extract-features", str(streets), *(str(argument) for argument in clip(clip_folder, out))]
    code = [sys.executable, "-c", _KILLED_WHILE_A_FILE_IS_PUT_IN_PLACE, str(moment)]
    done = subprocess.run([*code, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(out.glob("sample/*.npy"))) == samples
    assert len(list(out.glob("images/*/*.safetensors"))) == images
    assert run(streets, *clip(clip_folder, out)).exit_code == 0
    first, second = FeatureReader(out), FeatureReader(uninterrupted)
    assert first.cache.keys == second.cache.keys
    assert len(first.cache.keys) == 12
    for key in second.cache.keys:
        assert torch.equal(first.cache.read(key)[0].codes, second.cache.read(key)[0].codes)


def test_a_compression_can_be_given(streets: Path, clip_folder: Path, clip_compression: Path, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = run(streets, *clip(clip_folder, out), "--pca", clip_compression)
    assert done.exit_code == 0
    given, kept = load_affine_compression(clip_compression), load_affine_compression(out / "reduction_pca.npz")
    assert torch.equal(given.reduction, kept.reduction)
    reader = FeatureReader(out)
    assert reader.read(reader.cache.keys[0], 4, 8).features.shape == (64, 4, 8)
    other = tmp_path / "other.npz"
    np.savez(other, reduction_mat=np.eye(12, 6), min=np.zeros(6), max=np.ones(6))
    with pytest.raises(DataError, match="12 dimensions, the teacher gives 10"):
        run(streets, *clip(clip_folder, tmp_path / "more"), "--pca", other)


def test_labels_of_streets(streets: Path, tmp_path: Path) -> None:
    out = tmp_path / "features"
    done = run(streets, "--model", "labels", "--out", out, "--short-side", 36, "--stride", 4, "--channels", 24)
    assert done.exit_code == 0, done.output
    reader = FeatureReader(out)
    image = reader.read(reader.cache.keys[0], 9, 16)
    assert image.features.shape == (24, 9, 16)
    assert not reader.cache.compression_path.exists()
    torch.testing.assert_close(
        image.features[:, image.valid].norm(dim=0), torch.ones(int(image.valid.sum())), atol=0.02, rtol=0
    )


def test_dinov2_of_a_recording(short_bag: Path, tmp_path: Path) -> None:
    import transformers

    folder, out = tmp_path / "dinov2", tmp_path / "features"
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 12, "patch_size": 4}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes)).save_pretrained(folder)
    arguments = ["--model", "dinov2", "--weights", folder, "--out", out, "--short-side", 36, "--pca-from", 0]
    done = run(short_bag, *arguments, "--facet", "key")
    assert done.exit_code == 0, done.output
    reader = FeatureReader(out)
    assert len(reader.cache.keys) == 12
    assert reader.cache.read(reader.cache.keys[0])[0].codes.shape == (16, 9, 16)
    assert reader.cache.index.description["facet"] == "key"


def test_drives_of_any_kind_share_a_compression(clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "features"
    arguments = [*clip(clip_folder, out), "--seconds", 0.5, "--pca-from", 3]
    done = run("sim:4..5", *arguments)
    assert "12 images written, 12 in all" in done.output
    assert sorted(path.name for path in (out / "images").iterdir()) == ["street_000004", "street_000005"]
    root = tmp_path / "nuscenes"
    write_download(root)
    done = run(root, *clip(clip_folder, tmp_path / "scenes"), "--scene", "scene-0103", "--pca-from", 3)
    assert all(key.startswith("scene-0103/CAM_") for key in FeatureReader(tmp_path / "scenes").cache.keys)
    with pytest.raises(DataError, match=r"nowhere: expected sim:FIRST\.\.LAST, or a folder of frames"):
        run(tmp_path / "nowhere", *clip(clip_folder, out))


def test_a_model_that_is_not_there_is_said_first(
    streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="hf download openai/clip-vit-large-patch14-336 --local-dir clip-vit"):
        run(streets, "--model", "clip", "--out", tmp_path / "features")
    assert not (tmp_path / "features").exists()
