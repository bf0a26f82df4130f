"""The command converts, reports what became of every tensor, and never overwrites by accident."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from distillnerf_core.cli.convert_checkpoint import app
from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.checkpoint import read_safetensors
from distillnerf_core.model.depth_prior import extractor
from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig
from distillnerf_core.model.depth_prior.hugging_face import load_depth_prior
from distillnerf_core.model.reference import conversion

RUN = CliRunner()
HEAD = "model.coarse_monodepth_estimator.depthnet.2."
WEIGHTS = {
    HEAD + "weight": torch.ones(250, 64, 1, 1, dtype=torch.float16),
    HEAD + "bias": torch.arange(250.0),
    "model.dx": torch.zeros(3),
    "model.frustum": torch.zeros(1).expand(125, 128, 228, 3),
    "lpips_loss.lpips.lin0.model.1.weight": torch.zeros(1),
    "lpips_loss.lpips.lin1.model.1.weight": torch.zeros(1),
}
SHAPES = {"coarse_depth.density_head.2.weight": (250, 64, 1, 1), "coarse_depth.density_head.2.bias": (250,)}


@pytest.fixture(autouse=True)
def _small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last layer of the first depth stage counts, so that files are small."""
    monkeypatch.setattr(conversion, "expected_shapes", lambda _: SHAPES)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model_linearspace.pth"
    torch.save({"meta": {"epoch": 1}, "state_dict": WEIGHTS}, path)
    return path


def test_a_checkpoint_is_converted_and_every_tensor_reported(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "linear.safetensors"
    result = RUN.invoke(app, [str(source), str(target)])
    assert result.exit_code == 0, result.output
    for text in ("reference-linear", "taken, 16,250 values", "LPIPS", "pixel positions", "0 MiB"):
        assert text in result.output, result.output
    tensors, metadata = read_safetensors(target)
    assert tensors.keys() == SHAPES.keys()
    assert all(value.dtype == torch.float32 for value in tensors.values())
    provenance = json.loads(metadata["provenance"])
    assert provenance["source"] == source.name
    assert provenance["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert sum(provenance["ignored"].values()) == 4


def test_weights_of_another_variant_are_noted(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "waymo.safetensors"
    result = RUN.invoke(app, [str(source), str(target), "--variant", "reference-waymo-linear"])
    assert result.exit_code == 0, result.output
    assert "image size are those of reference-linear" in result.output
    assert read_safetensors(target)[1]["variant"] == "reference-waymo-linear"


def test_an_existing_file_is_kept_unless_forced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(CheckpointError, match=r"out\.safetensors exists.*--force"):
        RUN.invoke(app, [str(source), str(target)], catch_exceptions=False)
    assert target.read_bytes() == b"precious"
    assert RUN.invoke(app, [str(source), str(target), "--force"]).exit_code == 0
    assert read_safetensors(target)[0].keys() == SHAPES.keys()


def test_arguments_in_the_wrong_order_do_no_harm(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(CheckpointError, match=r"must end in \.safetensors"):
        RUN.invoke(app, [str(tmp_path / "out.safetensors"), str(source), "--force"], catch_exceptions=False)
    assert source.read_bytes() == before


def test_the_input_is_never_overwritten(source: Path) -> None:
    renamed = source.rename(source.with_suffix(".safetensors"))
    with pytest.raises(CheckpointError, match="is the input itself"):
        RUN.invoke(app, [str(renamed), str(renamed), "--force"], catch_exceptions=False)


def test_unknown_tensors_need_to_be_dropped(source: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": WEIGHTS | {"sky_model.weight": torch.zeros(1)}}, source)
    target = tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match=r"unexpected: sky_model\.weight"):
        RUN.invoke(app, [str(source), str(target)], catch_exceptions=False)
    assert not target.exists()
    result = RUN.invoke(app, [str(source), str(target), "--drop", "sky_model."])
    assert result.exit_code == 0 and "asked for" in result.output


PRIOR_KEY = "model.mono_depth_pretained_model.model.pretrained.cls_token"


@pytest.fixture
def prior_folder(
    create_depth_anything: Callable[[list[int]], Any],
    small_prior: DepthPriorConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder of a small Depth Anything v1, which the network now has too."""
    with torch.device("meta"):
        prior = {
            f"depth_prior.{name}": tuple(value.shape) for name, value in DepthPrior(small_prior).state_dict().items()
        }
    monkeypatch.setattr(conversion, "expected_shapes", lambda _: SHAPES | prior)
    monkeypatch.setattr(extractor, "DepthPriorConfig", lambda: small_prior)
    folder = tmp_path / "depth-anything-base-hf"
    create_depth_anything([2, 3, 4, 5]).save_pretrained(folder)
    return folder


def test_a_missing_depth_prior_is_taken_from_a_folder(
    source: Path, prior_folder: Path, small_prior: DepthPriorConfig, tmp_path: Path
) -> None:
    target = tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match="only the depth prior lacks: --depth-prior takes it"):
        RUN.invoke(app, [str(source), str(target)], catch_exceptions=False)
    result = RUN.invoke(app, [str(source), str(target), "--depth-prior", str(prior_folder)])
    assert result.exit_code == 0, result.output
    tensors, metadata = read_safetensors(target)
    for name, value in load_depth_prior(prior_folder, small_prior).state_dict().items():
        assert torch.equal(tensors[f"depth_prior.{name}"], value)
    file = prior_folder / "model.safetensors"
    provenance = json.loads(metadata["provenance"])["depth_prior"]
    assert provenance["source"] == "depth-anything-base-hf/model.safetensors"
    assert provenance["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_checkpoints_depth_prior_is_replaced_when_asked_only(
    source: Path, prior_folder: Path, tmp_path: Path
) -> None:
    torch.save({"state_dict": WEIGHTS | {PRIOR_KEY: torch.zeros(1, 1, 24)}}, source)
    target, folder = tmp_path / "out.safetensors", ["--depth-prior", str(prior_folder)]
    with pytest.raises(CheckpointError, match="missing: depth_prior"):
        RUN.invoke(app, [str(source), str(target), *folder], catch_exceptions=False)
    result = RUN.invoke(app, [str(source), str(target), *folder, "--replace-depth-prior"])
    assert result.exit_code == 0, result.output
    assert "replaced by another" in result.output
    assert bool(read_safetensors(target)[0]["depth_prior.transformer.class_token"].any())
    with pytest.raises(CheckpointError, match="say with --depth-prior"):
        RUN.invoke(app, [str(source), str(target), "--force", "--replace-depth-prior"], catch_exceptions=False)


def test_help_names_the_licence() -> None:
    result = RUN.invoke(app, ["--help"])
    assert result.exit_code == 0 and "non-commercial" in result.output
