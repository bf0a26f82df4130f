"""The script for Ray starts every shard once; with Ray installed, on this machine."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from distillnerf_core.sharding import parse_shard

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "ray_shards.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ray_shards", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_shard_has_a_command(script: ModuleType) -> None:
    options = script.parse_arguments(["--shards", "3", "--gpus", "0.5", "--", "teach", "sim:0..5", "--out", "taught"])
    commands = script.shard_commands(options.command, options.shards)
    assert [command[3:7] for command in commands] == [["teach", "sim:0..5", "--out", "taught"]] * 3
    shards = [parse_shard(command[-1]) for command in commands]
    assert all(command[-2] == "--shard" for command in commands) and options.gpus == 0.5
    assert sorted(number for shard in shards for number in shard.take(range(10))) == list(range(10))


def test_no_shards_are_refused(script: ModuleType) -> None:
    with pytest.raises(SystemExit):
        script.parse_arguments(["--shards", "0", "--", "teach"])


def test_without_ray_other_ways_are_named(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sys, "argv", ["ray_shards.py", "--shards", "2", "--", "teach"])
    with pytest.raises(SystemExit, match=r"distillnerf\[cluster\].*SLURM"):
        script.main()


def test_ray_runs_the_shards_and_says_which_failed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'distillnerf[cluster]'")
    foreign = tmp_path / "street_000008" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("not what a teacher wrote")
    size = ["--height", "18", "--width", "32", "--seconds", "0.5"]
    arguments = ["--shards", "2", "--retries", "0", "--", "teach", "sim:7..8", "--out", str(tmp_path), *size]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], check=False, capture_output=True, text=True)
    if "timed out during startup" in done.stderr:
        pytest.skip("Ray did not start within 30 s: this machine is under load")
    assert "shard 0/2: done" in done.stdout and "shard 1/2: failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert (tmp_path / "street_000007" / "contact_sheet.jpg").is_file()
