"""`distillnerf teach`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command()
def teach(
    drive: Annotated[str, typer.Argument(metavar="sim:SEED | FOLDER", help="Simulated street, or folder of frames.")],
    out: Annotated[Path, typer.Option(help="Folder for the views, one folder in it for each drive.")],
    teacher: Annotated[Literal["fusion"], typer.Option(help="fusion: accumulated LiDAR, no optimisation.")] = "fusion",
    height: Annotated[int, typer.Option(help="Rows of all views.", min=8)] = 225,
    width: Annotated[int, typer.Option(help="Columns of all views.", min=8)] = 400,
    seconds: Annotated[float, typer.Option(help="Length of simulated drives.", min=0.5, max=60)] = 20.0,
) -> None:
    """Writes dense distances of a drive's key frames, and views from 1 m left, right and up; goes on if killed."""
    from tqdm import tqdm

    from distillnerf_core.data.drive_sources import open_drives
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.teachers.fusion.config import FusionConfig
    from distillnerf_core.teachers.fusion.teacher import FusionTeacher
    from distillnerf_core.teachers.teaching import key_images
    from distillnerf_core.teachers.teaching import teach as fill

    for item in open_drives(drive, SimulatedDriveConfig(seconds=seconds)):
        taught = FusionTeacher(item, FusionConfig())
        with tqdm(desc=f"{teacher} {item.name}", unit="image") as bar:
            for done, total in fill(out / item.name, item, taught, key_images(item), (height, width)):
                bar.total, bar.n = total, done
                bar.refresh()
        print(f"views: {out / item.name}")
