"""`distillnerf evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from distillnerf_core.data.simulated import SimulatedDataset
    from distillnerf_core.evaluation.estimates import Method
    from distillnerf_core.evaluation.protocol import Summary
    from distillnerf_core.model.checkpoint import LoadedPredictor

app = typer.Typer()

FLAT_GROUND_M = 25.0


@app.command()
def evaluate(
    checkpoint: Annotated[Path | None, typer.Option(help="Predictor to judge; default: the shipped one.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Held-out data set; default: simulated now into --cache, on seeds from 100000.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where held-out scenes are kept.")] = Path("datasets/heldout"),
    scenes: Annotated[int, typer.Option(help="Held-out scenes to simulate.", min=1)] = 8,
    frames: Annotated[int, typer.Option(help="Frames of each.", min=1)] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measures a checkpoint on held-out streets, beside two baselines, in one run."""
    from rich.console import Console

    from distillnerf_core.evaluation.report import build_table, write_json
    from distillnerf_core.model.checkpoint import load_predictor
    from distillnerf_core.perception.pipeline import choose_device

    loaded = load_predictor(checkpoint, choose_device(device))
    dataset = _open_data(data, cache, scenes, frames)
    results = {name: _measure(name, method, dataset) for name, method in _methods(loaded).items()}
    Console(width=140).print(build_table(results))
    if json_file is not None:
        scene_count = len(dataset) // _frames_per_scene(dataset)
        info = {"checkpoint": loaded.source.name, "scenes": scene_count, "frames": len(dataset)}
        write_json(json_file, results, info)


def _methods(loaded: "LoadedPredictor") -> "dict[str, Method]":
    """Lists the product, the same without its second stages, and a prior that looks at no image."""
    from distillnerf_core.evaluation.estimates import FlatGroundMethod, PipelineMethod
    from distillnerf_core.language.codec_space import CodecTextSpace
    from distillnerf_core.language.encoders import MiniLmEncoder
    from distillnerf_core.model.predictor import Stages
    from distillnerf_core.perception.config import PerceptionConfig
    from distillnerf_core.perception.pipeline import PerceptionPipeline

    config = PerceptionConfig()
    language = CodecTextSpace(loaded.codec, MiniLmEncoder())
    plain = loaded.predictor.with_stages(Stages(two_stage_depth=False, fine_voxels=False))
    return {
        "distillnerf": PipelineMethod(PerceptionPipeline(loaded.predictor, language, config)),
        "one-stage, coarse only": PipelineMethod(PerceptionPipeline(plain, language, config)),
        "flat ground": FlatGroundMethod(FLAT_GROUND_M, config.occupancy.grid()),
    }


def _measure(name: str, method: "Method", dataset: "SimulatedDataset") -> "dict[str, Summary]":
    from tqdm import tqdm

    from distillnerf_core.evaluation.protocol import evaluate_method, summarise

    rows = []
    for index in tqdm(range(len(dataset)), desc=name):
        rows += evaluate_method(method, [dataset[index]])
    return summarise(rows, _frames_per_scene(dataset))


def _frames_per_scene(dataset: "SimulatedDataset") -> int:
    return len(dataset) // len({dataset.seed(index) for index in range(len(dataset))})


def _open_data(data: Path | None, cache: Path, scenes: int, frames: int) -> "SimulatedDataset":
    """Opens a data set; where none is given, simulates held-out scenes into the cache first."""
    from tqdm import tqdm

    from distillnerf_core.data.simulated import HELD_OUT_SEED, DatasetConfig, SimulatedDataset, write_dataset

    if data is not None:
        return SimulatedDataset(data)
    config = DatasetConfig(scenes=scenes, first_seed=HELD_OUT_SEED, frames_per_scene=frames)
    for _ in tqdm(write_dataset(cache, config), total=scenes * frames, desc="simulate", unit="frame"):
        pass
    return SimulatedDataset(cache)
