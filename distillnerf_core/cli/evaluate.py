"""`distillnerf evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distillnerf_core.cli.drives import SceneOption, SplitFileOption, SplitOption, VersionOption
from distillnerf_core.cli.protocols import ProtocolName, ProtocolOptions, evaluate_protocol
from distillnerf_core.cli.recording import ModelOption

if TYPE_CHECKING:
    from distillnerf_core.data.simulated import SimulatedDataset
    from distillnerf_core.evaluation.estimates import Method
    from distillnerf_core.evaluation.protocol import Summary
    from distillnerf_core.model.checkpoint import LoadedPredictor

app = typer.Typer()
_WITHOUT_CLASSES = (
    "; measure it with --protocol features --features FOLDER, or with reconstruction, novel-view, depth or occupancy"
)


@app.command()
def evaluate(
    protocol: Annotated[
        ProtocolName,
        typer.Option(
            help="What is measured: simulated (held-out streets beside two baselines), or a published protocol: "
            "reconstruction, novel-view (next and previous key-frame), depth (LiDAR), occupancy (Occ3D, RayIoU), "
            "features, query."
        ),
    ] = "simulated",
    checkpoint: Annotated[Path | None, typer.Option(help="Predictor to judge; default: the shipped one.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="sim:FIRST..LAST | PATH",
            help="simulated: held-out data set (folder); default: simulated now into --cache, on seeds from 100000. "
            "Others: drives through simulated streets of these seeds, a folder of frames with calib.json, nuScenes, "
            "Waymo, or a recording; default: sim:100000 and the following, --scenes in all.",
        ),
    ] = None,
    scene: SceneOption = None,
    version: VersionOption = "v1.0-mini",
    split: SplitOption = "",
    split_file: SplitFileOption = None,
    occ3d: Annotated[
        Path | None,
        typer.Option(help="occupancy, query: folder `gts` of Occ3D-nuScenes (gts/SCENE/SAMPLE/labels.npz)."),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="features: what `distillnerf extract-features` wrote, or a folder with such a folder for each drive; "
            "default, of simulated streets only: text features of the true classes."
        ),
    ] = None,
    samples: Annotated[
        Literal["second", "all"], typer.Option(help="Key-frames of each drive: the second one, as published, or all.")
    ] = "second",
    limit: Annotated[int, typer.Option(help="Most samples; 0: no limit.", min=0)] = 0,
    resize: Annotated[
        Literal["auto", "area", "bilinear"],
        typer.Option(help="How images are made smaller; auto: bilinear for published networks, else by area."),
    ] = "auto",
    density_threshold: Annotated[
        float | None, typer.Option(help="Voxels denser than this are occupied, 1/m; default: the node's.", min=0)
    ] = None,
    model: ModelOption = None,
    cache: Annotated[Path, typer.Option(help="simulated: where held-out scenes are kept.")] = Path("datasets/heldout"),
    scenes: Annotated[int, typer.Option(help="Held-out scenes to simulate.", min=1)] = 8,
    frames: Annotated[int, typer.Option(help="simulated: frames of each.", min=1)] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report with pictures; not with simulated.")] = None,
) -> None:
    """Measures a checkpoint by a protocol and prints a table; `simulated` has two baselines beside it."""
    if protocol == "simulated":
        _simulated(checkpoint, None if data is None else Path(data), cache, scenes, frames, device, json_file)
        return
    options = ProtocolOptions(
        protocol=protocol,
        checkpoint=checkpoint,
        data=data or _held_out(scenes),
        scenes=scene or (),
        version=version,
        split=split,
        split_file=split_file,
        occ3d=occ3d,
        features=features,
        samples=samples,
        limit=limit,
        resize=None if resize == "auto" else resize,
        density_threshold=density_threshold,
        model=model or (),
        device=device,
        json_file=json_file,
        report=report,
    )
    evaluate_protocol(options)


def _held_out(scenes: int) -> str:
    from distillnerf_core.data.simulated import HELD_OUT_SEED

    return f"sim:{HELD_OUT_SEED}..{HELD_OUT_SEED + scenes - 1}"


def _simulated(
    checkpoint: Path | None,
    data: Path | None,
    cache: Path,
    scenes: int,
    frames: int,
    device: str,
    json_file: Path | None,
) -> None:
    from rich.console import Console

    from distillnerf_core.evaluation.report import build_table, write_json
    from distillnerf_core.model.checkpoint import load_predictor
    from distillnerf_core.perception.pipeline import choose_device

    loaded = load_predictor(checkpoint, choose_device(device))
    methods = _methods(loaded)
    dataset = _open_data(data, cache, scenes, frames)
    results = {name: _measure(name, method, dataset) for name, method in methods.items()}
    Console(width=140).print(build_table(results))
    if json_file is not None:
        scene_count = len(dataset) // _frames_per_scene(dataset)
        info = {"checkpoint": loaded.source.name, "scenes": scene_count, "frames": len(dataset)}
        write_json(json_file, results, info)


def _methods(loaded: "LoadedPredictor") -> "dict[str, Method]":
    """Lists the product, the same without its second stages, and a prior that looks at no image."""
    from distillnerf_core.evaluation.estimates import FLAT_GROUND_M, FlatGroundMethod, PipelineMethod
    from distillnerf_core.language.codec_space import CodecTextSpace
    from distillnerf_core.language.encoders import MiniLmEncoder
    from distillnerf_core.model.predictor import Stages
    from distillnerf_core.perception.config import PerceptionConfig
    from distillnerf_core.perception.pipeline import PerceptionPipeline

    config = PerceptionConfig()
    language = CodecTextSpace(loaded.require_classes(_WITHOUT_CLASSES), MiniLmEncoder())
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
