"""Only what cannot harm is read; everything else is refused with a remedy."""

import os
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.reference.mmcv import read_checkpoint

WEIGHTS = {"model.a.weight": torch.arange(6.0).view(2, 3), "model.k": torch.ones(27, 3, dtype=torch.int16)}


class Command:
    """What a hostile file would bring along."""

    def __init__(self, line: str) -> None:
        self.line = line

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.line,)


class Hook:
    """An object of the training code, as careless training loops leave it in `meta`."""


def mmcv_checkpoint(**meta: object) -> dict[str, object]:
    weights = OrderedDict(WEIGHTS)
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([parameter])
    torch.autograd.backward(parameter.sum())
    optimizer.step()
    return {
        "meta": {"mmcv_version": "1.7.0", "epoch": 3, "CLASSES": ("car",), "hook_msgs": {}, **meta},
        "state_dict": weights,
        "optimizer": optimizer.state_dict(),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_an_mmcv_checkpoint_gives_its_tensors(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.pth"
    torch.save(mmcv_checkpoint(), path, _use_new_zipfile_serialization=zipped)
    tensors = read_checkpoint(path)
    assert tensors.keys() == WEIGHTS.keys()
    assert all(torch.equal(tensors[key], value) for key, value in WEIGHTS.items())
    assert tensors["model.k"].dtype == torch.int16


def test_a_bare_state_dict_will_do(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "model.pth")
    assert read_checkpoint(tmp_path / "model.pth").keys() == WEIGHTS.keys()


def test_numbers_of_numpy_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    meta = {"best": np.float64(0.5), "seed": np.int64(3), "flag": np.bool_(True), "loss": np.float32(2)}
    torch.save(mmcv_checkpoint(**meta), path)
    assert read_checkpoint(path).keys() == WEIGHTS.keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_refused_and_does_not_run(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "model.pth", tmp_path / "trace"
    torch.save(mmcv_checkpoint(hook=Command(f"touch {trace}")), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"(?s)holds the Python object \w+\.system.*refused.*weights_only=False"):
        read_checkpoint(path)
    assert not trace.exists()


def test_an_object_of_the_training_code_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(mmcv_checkpoint(hook=Hook()), path)
    with pytest.raises(CheckpointError, match=r"Python object \S*Hook\b"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git-lfs pointer"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00" + b'{"a":{}}        ', "safetensors file"),
        (b"plain text", "is no PyTorch checkpoint"),
        (b"\x80\x02}q\x00.", "cannot be read as a PyTorch checkpoint|holds Python objects"),
        (b"\x80\x02", "cannot be read as a PyTorch checkpoint"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


def test_a_download_that_broke_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(mmcv_checkpoint(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"cut off after .* MiB: download it again"):
        read_checkpoint(path)


def test_an_archive_around_the_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/model.pth", b"x")
    with pytest.raises(CheckpointError, match=r"archive that holds the checkpoint \(unpack it\)"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["none.pth", "."])
def test_a_missing_file_and_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="does not exist or is no file"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2]])
def test_a_file_without_weights_is_described(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"its keys: epoch|holds a list"):
        read_checkpoint(tmp_path / "model.pth")
