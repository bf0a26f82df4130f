import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.predict import app
from distillnerf_core.data.bag_export import export_frames
from distillnerf_core.errors import BagError, CheckpointError, ConfigurationError, LanguageError, QueryError
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.streams.bag_frames import frames_from_bag


@pytest.fixture(scope="module")
def bag(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps of real images."""
    path = tmp_path_factory.mktemp("bag") / "real.mcap"
    export_frames(shared_dir / "data" / "nuscenes_sample", path, repeat=2)
    return path


def test_a_bag_becomes_pictures_arrays_and_a_summary(bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    command = [str(bag), "--out", str(out), "--checkpoint", str(checkpoint), "--json", str(figures)]
    done = CliRunner().invoke(app, [*command, "--query", "automobile", "--query", "oak tree"])
    assert done.exception is None, done.output
    written = json.loads((out / "summary.json").read_text())
    assert written == json.loads(figures.read_text())
    assert written["summary"]["frames"] == len(written["frames"]) == 2
    assert set(written["summary"]["queries"]) == {"automobile", "oak tree"}
    names = {path.name for path in (out / "frame_0001").iterdir()}
    assert {"overview.png", "depth.npz", "depth_CAM_FRONT.png", "occupancy.npz", "occupancy.ply"} <= names
    assert "automobile" in done.output


def test_predict_gives_what_the_pipeline_gives_for_the_same_frames(bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, [str(bag), "--out", str(tmp_path), "--checkpoint", str(checkpoint), "--max-frames", "1"]
    )
    assert done.exception is None, done.output
    pipeline = PerceptionPipeline.from_checkpoint(checkpoint)
    result = pipeline.perceive(next(frames_from_bag(bag, *pipeline.input_size)))
    assert result.occupancy is not None
    written = np.load(tmp_path / "frame_0000" / "occupancy.npz")
    np.testing.assert_array_equal(written["labels"], result.occupancy.labels.cpu().numpy())
    assert not (tmp_path / "frame_0001").exists()


@pytest.mark.parametrize(("patience_s", "shown"), [(0.0, True), (1e9, False)])
def test_a_slow_frame_shows_its_stage(
    bag: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float, shown: bool
) -> None:
    monkeypatch.setattr("distillnerf_core.cli.predict._PATIENCE_S", (patience_s, 0.0))
    command = [str(bag), "--out", str(tmp_path), "--checkpoint", str(checkpoint), "--max-frames", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    assert ("encoding]" in done.output) == shown
    assert "1/1" in done.output


def test_a_cut_bag_gives_its_frames_and_a_clear_error(bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(bag.read_bytes()[: int(bag.stat().st_size * 0.8)])
    done = CliRunner().invoke(app, [str(cut), "--out", str(tmp_path / "out"), "--checkpoint", str(checkpoint)])
    assert isinstance(done.exception, BagError)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["summary"]["frames"] >= 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--query", ""], QueryError),
        (["--checkpoint", "missing.safetensors"], CheckpointError),
        (["--device", "toaster"], ConfigurationError),
    ],
)
def test_bad_input_is_a_clear_error(tmp_path: Path, arguments: list[str], error: type[Exception]) -> None:
    done = CliRunner().invoke(app, [str(tmp_path / "none.mcap"), "--out", str(tmp_path), *arguments])
    assert isinstance(done.exception, error)


def test_a_published_clip_network_is_asked(
    bag: Path, reference_weights: Callable[[str], Path], clip_folder: Path, clip_compression: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("occupancy: {density_threshold: 0.1}")
    command = [str(bag), "--out", str(tmp_path / "out"), "--checkpoint", str(reference_weights("reference-clip"))]
    command += ["--max-frames", "1", "--config", str(config), "--query", "car", "--query", "tree"]
    files = ["--clip-folder", str(clip_folder), "--clip-compression", str(clip_compression)]
    done = CliRunner().invoke(app, [*command, *files])
    assert done.exception is None, done.output
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert sum(answer["mean_count"] for answer in written["summary"]["queries"].values()) > 0
    assert sum(count > 0 for count in written["frames"][0]["class_voxels"].values()) > 1


def test_without_the_files_of_clip_only_asking_fails_and_at_once(
    bag: Path, reference_weights: Callable[[str], Path], clip_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [str(bag), "--out", str(out), "--checkpoint", str(reference_weights("reference-clip"))]
    asking = CliRunner().invoke(app, [*command, "--query", "car"])
    assert isinstance(asking.exception, LanguageError)
    assert "clip_reduction_pca.npz" in str(asking.exception)
    unusable = ["--clip-folder", str(clip_folder), "--clip-compression", str(bag)]
    damaged = CliRunner().invoke(app, [*command, *unusable])
    assert isinstance(damaged.exception, LanguageError)
    assert not out.exists()
    done = CliRunner().invoke(app, [*command, "--max-frames", "1"])
    assert done.exception is None, done.output
    assert "warning: to compare this checkpoint's CLIP features with texts, give clip_folder" in done.output
    assert (out / "frame_0000" / "occupancy.npz").exists()


def test_a_missing_bag_is_a_clear_error(checkpoint: Path, tmp_path: Path) -> None:
    command = [str(tmp_path / "none.mcap"), "--out", str(tmp_path), "--checkpoint", str(checkpoint)]
    assert isinstance(CliRunner().invoke(app, command).exception, BagError)
