"""`distillnerf train` in processes of its own: several at once, and killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distillnerf_core.data.simulated import DatasetConfig, write_dataset
from distillnerf_core.model.checkpoint import read_safetensors
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.training.config import ObjectiveConfig, TrainConfig

TRAIN = ("-m", "distillnerf_core.cli.main", "train")


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    size = SimulationConfig(height=32, width=64, supersampling=1, shadows=False)
    for _ in write_dataset(folder, DatasetConfig(scenes=2, frames_per_scene=1, simulation=size)):
        pass
    return folder


@pytest.fixture
def config_file(streets: Path, small_architecture: PredictorConfig, tmp_path: Path) -> Path:
    objective = ObjectiveConfig(cameras=(2,), render_cameras=1, crop_columns=4, points=200, one_stage_share=0.0)
    config = TrainConfig(
        data=streets,
        out=tmp_path / "run",
        steps=3,
        depth_steps=1,
        warmup_steps=1,
        log_every=1,
        batch=2,
        encoder_bfloat16=False,
        checkpoint_minutes=0.0,
        device="cpu",
        predictor=small_architecture,
        objective=objective,
    )
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(json.loads(config.model_dump_json())))
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*command: Any) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors, _ = read_safetensors(folder / "run.safetensors")
    return {name: value for name, value in tensors.items() if name.startswith(("model.", "averaged."))}


def test_two_processes_learn_what_one_does(config_file: Path, tmp_path: Path) -> None:
    run(*TRAIN, config_file, "--set", f"out={tmp_path / 'one'}")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    printed = run(*torchrun, *TRAIN, config_file, "--set", f"out={tmp_path / 'two'}")
    assert printed.count("predictor:") == 1
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, value in one.items():
        # Muon moves a kernel by its peak rate whatever the size of the gradient, so that digits differ a little.
        assert torch.allclose(two[name], value, rtol=1e-3, atol=2e-4), name


def test_a_killed_run_goes_on_where_it_stopped(config_file: Path, tmp_path: Path) -> None:
    state = tmp_path / "run" / "run.safetensors"
    command = [sys.executable, *TRAIN, str(config_file), "--set", "steps=1000"]
    killed = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (state.exists() and int(read_safetensors(state)[1]["step"]) >= 2):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    done = int(read_safetensors(state)[1]["step"])
    printed = run(*TRAIN, config_file, "--set", f"steps={done + 2}")
    assert f"resuming at step {done} of {done + 2}" in printed
    curve = [round(row["step"]) for row in json.loads((tmp_path / "run" / "curve.json").read_text())]
    assert curve == list(range(1, done + 3))
