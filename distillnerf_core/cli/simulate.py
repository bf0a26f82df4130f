"""`distillnerf simulate`: makes simulated streets, as a data set or a rosbag2 recording."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.data.simulated import SimulatedDataset

app = typer.Typer(help="Makes simulated streets with exact ground truth.")
PREVIEW_FRAMES = 6


@app.command()
def simulate(
    out: Annotated[Path | None, typer.Option(help="Folder of the data set to write or continue.")] = None,
    bag: Annotated[Path | None, typer.Option(help="Recording to write: .mcap, .db3 or a rosbag2 folder.")] = None,
    scenes: Annotated[int, typer.Option(min=1, help="Different streets of a data set.")] = 8,
    frames_per_scene: Annotated[int, typer.Option(min=1, help="Frames of each street, 2 s apart.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="First street; seeds from 100000 are for evaluation only. Default 0, of a bag 7."),
    ] = None,
    height: Annotated[
        int | None, typer.Option(min=8, help="Image height; default 96, in a bag 9/16 of the width.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=8, help="Image width; default 176, in a bag 640.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=60.0, help="Length of a recording.")] = 4.0,
    rate: Annotated[float, typer.Option(min=0.1, max=12.0, help="Sweeps of a recording each second.")] = 2.0,
    lidar: Annotated[bool, typer.Option(help="Record the LiDAR, too.")] = True,
    preview: Annotated[bool, typer.Option(help="Draw overview.png beside the data set.")] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing recording.")] = False,
) -> None:
    """Makes simulated streets with exact ground truth: a data set (--out) or a recording (--bag)."""
    if (out is None) == (bag is None):
        raise ConfigurationError("simulate: give either --out FOLDER (a data set) or --bag FILE (a recording)")
    if out is not None:
        _write_dataset(out, scenes, frames_per_scene, seed or 0, (height or 96, width or 176), preview)
    if bag is not None:
        width = width or 640
        size = (height or round(width * 9 / 16), width)
        _record(bag, 7 if seed is None else seed, size, seconds, rate, lidar, overwrite)


def _write_dataset(
    folder: Path, scenes: int, frames_per_scene: int, seed: int, size: tuple[int, int], preview: bool
) -> None:
    from tqdm import tqdm

    from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
    from distillnerf_core.simulation.simulator import SimulationConfig

    config = DatasetConfig(
        scenes=scenes,
        first_seed=seed,
        frames_per_scene=frames_per_scene,
        simulation=SimulationConfig(height=size[0], width=size[1]),
    )
    for _ in tqdm(write_dataset(folder, config), total=scenes * frames_per_scene, desc="simulate", unit="frame"):
        pass
    dataset = SimulatedDataset(folder)
    typer.echo(f"{folder}: {len(dataset)} frames of {size[1]} x {size[0]} pixels, six cameras each")
    if preview:
        typer.echo(f"look at {_draw_overview(folder, dataset)}")


def _draw_overview(folder: Path, dataset: "SimulatedDataset") -> Path:
    import cv2
    import numpy as np

    from distillnerf_core.data.overview import frame_overview

    step = max(1, len(dataset) // PREVIEW_FRAMES)
    chosen = list(range(0, len(dataset), step))[:PREVIEW_FRAMES]
    picture = np.concatenate([frame_overview(dataset[index]) for index in chosen], axis=0)
    path = folder / "overview.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def _record(
    path: Path, seed: int, size: tuple[int, int], seconds: float, rate: float, lidar: bool, overwrite: bool
) -> None:
    from tqdm import tqdm

    from distillnerf_core.data.simulated_bag import DriveConfig, record_drive, sweep_count
    from distillnerf_core.simulation.simulator import SimulationConfig

    config = DriveConfig(
        seed=seed,
        seconds=seconds,
        rate_hz=rate,
        lidar=lidar,
        simulation=SimulationConfig(height=size[0], width=size[1], supersampling=1),
    )
    sweeps = 0
    for _ in tqdm(record_drive(path, config, overwrite), total=sweep_count(config), desc="record", unit="sweep"):
        sweeps += 1
    typer.echo(f"{path}: {sweeps} sweeps of six cameras, {size[1]} x {size[0]} pixels, street {seed}")
    typer.echo(f"next: distillnerf bag info {path}; distillnerf predict {path} --out predictions")
