"""`distillnerf prepare`: frames of drives with their targets, for `distillnerf train`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.cli.drives import SceneOption, SplitFileOption, SplitOption, VersionOption

if TYPE_CHECKING:
    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.training.drive_supervision import SupervisionConfig

app = typer.Typer()


@app.command()
def prepare(
    drives: Annotated[
        list[str],
        typer.Argument(help="sim:SEED, sim:FIRST..LAST, folders with calib.json, of nuScenes or Waymo, or recordings."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to begin or to go on with.")],
    taught: Annotated[
        Path | None,
        typer.Option(help="Folder that `distillnerf teach` wrote, or one with such a folder for each drive, by name."),
    ] = None,
    scene: SceneOption = None,
    version: VersionOption = "v1.0-mini",
    split: SplitOption = "",
    split_file: SplitFileOption = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Change what becomes a target: lidar=false, confidence=0.5, ...")
    ] = None,
    height: Annotated[int, typer.Option(min=16, help="Rows of the network's input.")] = 96,
    width: Annotated[int, typer.Option(min=16, help="Columns of the network's input.")] = 176,
    seconds: Annotated[float, typer.Option(min=0.5, max=60.0, help="Length of simulated drives.")] = 20.0,
) -> None:
    """Writes the key-frames of drives with all that LiDAR, boxes, neighbouring key-frames and a teacher say of them.

    Started again, it writes what is missing. Then: distillnerf train CONFIG --set data=FOLDER
    """
    from distillnerf_core.configuration import configure
    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.training.drive_supervision import SupervisionConfig

    config = configure(SupervisionConfig, override or ())
    chosen = DriveOptions(version=version, scenes=tuple(scene or ()), split=split, split_file=split_file)
    options = chosen.model_copy(update={"simulated": _street(height, width, seconds)})
    prepare_drives(out, drives, taught, options, (height, width), config)


def prepare_drives(
    out: Path,
    drives: Sequence[str],
    taught: Path | None,
    options: "DriveOptions",
    size: tuple[int, int],
    config: "SupervisionConfig",
) -> None:
    """Prepares the frames of drives, with a progress bar.

    Args:
        out: Folder to begin or to go on with.
        drives: What to open.
        taught: Folder of a teacher, or of teachers by the names of the drives.
        options: How drives are opened.
        size: Height and width of the network's input.
        config: What becomes a target.

    Raises:
        DistillNerfError: If a drive cannot be opened or read, or a folder cannot be written.
    """
    from tqdm import tqdm

    from distillnerf_core.data.drive_sources import open_drives
    from distillnerf_core.training.drive_supervision import DriveSupervisor
    from distillnerf_core.training.prepared import PreparedFrames, find_taught
    from distillnerf_core.training.prepared import prepare as prepare_frames

    opened = [drive for what in drives for drive in open_drives(what, options)]
    supervisors = [DriveSupervisor(drive, find_taught(taught, drive.name), config) for drive in opened]
    total = sum(len(drive.key_sweeps) for drive in opened)
    for _ in tqdm(prepare_frames(out, supervisors, size, config), total=total, desc="prepare", unit="frame"):
        pass
    typer.echo(f"{out}: {len(PreparedFrames(out))} frames of {size[1]} x {size[0]} pixels")


def _street(height: int, width: int, seconds: float) -> "SimulatedDriveConfig":
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.simulation.simulator import SimulationConfig

    simulation = SimulationConfig(height=height, width=width, supersampling=1)
    return SimulatedDriveConfig(seconds=seconds, rate_hz=12.0, simulation=simulation)
