"""`distillnerf simulate`: makes simulated streets, as a data set, in nuScenes format, or a rosbag2 recording."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.data.simulated import SimulatedDataset

app = typer.Typer(help="Makes simulated streets with exact ground truth.")
PREVIEW_FRAMES = 6


class DatasetFormat(str, Enum):
    """Formats of a data set."""

    FRAMES = "frames"
    NUSCENES = "nuscenes"


@app.command()
def simulate(
    out: Annotated[Path | None, typer.Option(help="Folder of the data set to write or continue.")] = None,
    bag: Annotated[Path | None, typer.Option(help="Recording to write: .mcap, .db3 or a rosbag2 folder.")] = None,
    data_format: Annotated[
        DatasetFormat,
        typer.Option(
            "--format",
            help="Data set: frames with all ground truth, or drives in nuScenes format (images, LiDAR, boxes).",
        ),
    ] = DatasetFormat.FRAMES,
    scenes: Annotated[int, typer.Option(min=1, help="Different streets of a data set.")] = 8,
    frames_per_scene: Annotated[int, typer.Option(min=1, help="Frames of each street, 2 s apart (frames).")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="First street; seeds from 100000 are for evaluation only. Default 0, of a bag 7."),
    ] = None,
    height: Annotated[
        int | None, typer.Option(min=8, help="Image height; default 96, of drives 9/16 of the width.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=8, help="Image width; default 176, of drives 640.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=60.0, help="Length of a drive.")] = 4.0,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, max=12.0, help="Sweeps of the cameras each second; default 2, in nuScenes format 12."),
    ] = None,
    lidar: Annotated[bool, typer.Option(help="Record the LiDAR of a drive, too.")] = True,
    preview: Annotated[bool, typer.Option(help="Draw overview.png beside the frames.")] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing recording.")] = False,
) -> None:
    """Makes simulated streets with exact ground truth: a data set (--out) or a recording (--bag)."""
    if (out is None) == (bag is None):
        raise ConfigurationError("simulate: give either --out FOLDER (a data set) or --bag FILE (a recording)")
    wide = width or 640
    size = (height or round(wide * 9 / 16), wide)
    if bag is not None:
        _record(bag, 7 if seed is None else seed, size, seconds, rate or 2.0, lidar, overwrite)
    elif out is not None and data_format is DatasetFormat.NUSCENES:
        _write_nuscenes(out, range(seed or 0, (seed or 0) + scenes), size, seconds, rate or 12.0, lidar)
    elif out is not None:
        _write_dataset(out, scenes, frames_per_scene, seed or 0, (height or 96, width or 176), preview)


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


def _write_nuscenes(
    folder: Path, seeds: range, size: tuple[int, int], seconds: float, rate: float, lidar: bool
) -> None:
    from distillnerf_core.data.nuscenes_splits import add_to_split
    from distillnerf_core.data.nuscenes_writer import NuScenesWriteConfig, write_nuscenes, written_scenes
    from distillnerf_core.data.simulated import HELD_OUT_SEED
    from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
    from distillnerf_core.simulation.simulator import SimulationConfig

    written = NuScenesWriteConfig(location="simulated", vehicle="simulated")
    config = SimulatedDriveConfig(
        seconds=seconds,
        rate_hz=rate,
        key_rate_hz=min(rate, SimulatedDriveConfig().key_rate_hz),
        lidar_rate_hz=1 / written.rotation_s if lidar else 0.0,
        simulation=SimulationConfig(height=size[0], width=size[1], supersampling=1),
    )
    for seed in seeds:
        drive = SimulatedDrive(config.model_copy(update={"seed": seed}))
        if drive.name in written_scenes(folder, written.version):
            typer.echo(f"{drive.name} is there already and stays as it is")
            continue
        done = write_nuscenes(drive, folder, written)
        add_to_split(folder, written.version, "train" if seed < HELD_OUT_SEED else "val", drive.name)
        typer.echo(
            f"{done.name}: {done.samples} samples, {done.images} images of {size[1]} x {size[0]} pixels, "
            f"{done.revolutions} LiDAR revolutions, {done.boxes} boxes"
        )
    typer.echo(f"{folder}: {len(written_scenes(folder, written.version))} scenes in nuScenes format, {written.version}")


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
