"""`distillnerf simulate`: makes simulated streets, as a data set, in nuScenes format, or a rosbag2 recording."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from distillnerf_core.cli.simulated_output import DriveShape, FrameSet, record, write_frames, write_nuscenes_drives
from distillnerf_core.cli.street_options import takes_streets
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.simulation.street_options import StreetOptions

app = typer.Typer(help="Makes simulated streets with exact ground truth.")


class DatasetFormat(str, Enum):
    """Formats of a data set."""

    FRAMES = "frames"
    NUSCENES = "nuscenes"


@app.command()
@takes_streets
def simulate(
    streets: StreetOptions,
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
    other_views: Annotated[
        int, typer.Option(min=0, help="Views of each frame from 1 m aside or half a second away, up to 5 (frames).")
    ] = 0,
) -> None:
    """Makes simulated streets with exact ground truth: a data set (--out) or a recording (--bag)."""
    if (out is None) == (bag is None):
        raise ConfigurationError("simulate: give either --out FOLDER (a data set) or --bag FILE (a recording)")
    if other_views and (bag is not None or data_format is not DatasetFormat.FRAMES):
        raise ConfigurationError("simulate: --other-views belongs to frames; drives have all their images instead")
    wide, first = width or 640, seed or 0
    size, usual_rate = (height or round(wide * 9 / 16), wide), 12.0 if bag is None else 2.0
    drive = DriveShape(size, seconds, rate or usual_rate, lidar, streets)
    if bag is not None:
        record(bag, 7 if seed is None else seed, drive, overwrite)
    elif out is not None and data_format is DatasetFormat.NUSCENES:
        write_nuscenes_drives(out, range(first, first + scenes), drive)
    elif out is not None:
        chosen = FrameSet(scenes, frames_per_scene, other_views, preview)
        write_frames(out, first, (height or 96, width or 176), chosen, streets)
