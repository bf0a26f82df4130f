import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillnerf_core.cli.view import app
from distillnerf_core.errors import ConfigurationError


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("arguments", [[], ["bag.mcap", "--live"]])
def test_either_a_bag_or_live_is_asked_for(arguments: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="either a BAG or --live"):
        run(*arguments)


def test_a_file_and_a_viewer_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="either --save FILE or --connect URL"):
        run("bag.mcap", "--save", "a.rrd", "--connect", "rerun+http://127.0.0.1:9876/proxy")


def test_missing_packages_are_named_before_anything_is_perceived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ConfigurationError, match="pip install rerun-sdk"):
        run("bag.mcap")


def test_live_without_ros_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk (extra view) is not installed")
    monkeypatch.setitem(sys.modules, "rclpy", None)
    monkeypatch.delitem(sys.modules, "distillnerf_ros.live_view", raising=False)
    with pytest.raises(ConfigurationError, match="--live needs ROS 2"):
        run("--live")


def test_a_bag_becomes_a_recording(short_bag: Path, checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk (extra view) is not installed")
    reader = pytest.importorskip("rerun.chunk", reason="rerun-sdk (extra view) is not installed")
    path = tmp_path / "a.rrd"
    output = run(short_bag, "--save", path, "--checkpoint", checkpoint, "--query", "house")
    assert "look at it with `rerun" in output
    chunks = [(chunk.entity_path, chunk.to_record_batch()) for chunk in reader.RrdReader(path).stream()]
    entities = {entity for entity, _ in chunks}
    assert {"/world/base", "/world/base/occupancy", "/world/base/CAM_FRONT/depth"} <= entities
    assert "/world/base/CAM_BACK/query\\ house" in entities
    stamps = {
        batch.column("stamp")[row].value
        for entity, batch in chunks
        if entity == "/world/base" and "stamp" in batch.schema.names
        for row in range(batch.num_rows)
    }
    assert len(stamps) == 2
