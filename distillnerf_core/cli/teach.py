"""`distillnerf teach`: dense depth and virtual views of a drive, from a per-scene teacher."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.cli.drives import ShardOption, TeacherOptions, VersionOption, create_teacher

if TYPE_CHECKING:
    from distillnerf_core.data.drive import Drive
    from distillnerf_core.data.drive_sources import DriveOptions

app = typer.Typer()
CONTACT_SHEET = "contact_sheet.jpg"


@dataclass(frozen=True)
class _Lesson:
    teacher: str
    config: Path | None
    size: tuple[int, int]


@app.command()
def teach(
    drive: Annotated[
        str,
        typer.Argument(
            help="sim:SEED, perhaps with options of the street (sim:3,light=dusk,wet=0.5), a folder with calib.json, "
            "nuScenes or Waymo, or a recording; with --shard several drives."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to begin or to go on with.")],
    teacher: Annotated[str, typer.Option(help="Which teacher: fusion or field.")] = "fusion",
    config: Annotated[Path | None, typer.Option(help="YAML settings of the teacher.")] = None,
    scene: Annotated[
        str | None, typer.Option(help="Scene of nuScenes, such as scene-0061, or segment of Waymo.")
    ] = None,
    version: VersionOption = "v1.0-mini",
    height: Annotated[int, typer.Option(min=16, help="Rows of all views.")] = 225,
    width: Annotated[int, typer.Option(min=16, help="Columns of all views.")] = 400,
    seconds: Annotated[float, typer.Option(min=0.5, max=60.0, help="Length of a simulated drive.")] = 20.0,
    shard: ShardOption = None,
) -> None:
    """Writes distance, sky, confidence and three virtual views for all images of the key sweeps of a drive.

    A killed run goes on where it stopped; the teacher `field`, which is trained first, keeps its state in
    OUT_field_run. A picture of the results is drawn beside them. With --shard, each drive has a folder of its name
    in OUT.
    """
    from distillnerf_core.data import drive_sources
    from distillnerf_core.sharding import parse_shard

    lesson = _Lesson(teacher, config, (height, width))
    options = _drive_options(lesson.size, seconds, version, scene)
    if shard is None:
        _teach(drive_sources.open_drive(drive, options), out, lesson)
        return
    share, opened = parse_shard(shard), drive_sources.open_drives(drive, options)
    typer.echo(f"shard {share}: {share.size(len(opened))} of {len(opened)} drives")
    for one in share.take(opened):
        _teach(one, out / one.name, lesson)


def _drive_options(size: tuple[int, int], seconds: float, version: str, scene: str | None) -> "DriveOptions":
    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.simulation.simulator import SimulationConfig

    simulation = SimulationConfig(height=size[0], width=size[1], supersampling=1)
    street = SimulatedDriveConfig(seconds=seconds, simulation=simulation)
    return DriveOptions(simulated=street, version=version, scenes=() if scene is None else (scene,))


def _teach(drive: "Drive", out: Path, lesson: _Lesson) -> None:
    from tqdm import tqdm

    from distillnerf_core.teachers.contact_sheet import write_contact_sheet
    from distillnerf_core.teachers.targets import TaughtDrive
    from distillnerf_core.teachers.teaching import key_images
    from distillnerf_core.teachers.teaching import teach as teach_images

    images, (height, width) = key_images(drive), lesson.size
    options = TeacherOptions(lesson.config, out.with_name(f"{out.name}_{lesson.teacher}_run"))
    built = create_teacher(lesson.teacher, drive, options)
    with tqdm(total=len(images), desc=f"teach {drive.name}", unit="image") as bar:
        for done, _ in teach_images(out, drive, built, images, lesson.size):
            bar.update(done - bar.n)
    taught = TaughtDrive(out)
    write_contact_sheet(out / CONTACT_SHEET, taught)
    typer.echo(f"{out}: {len(images)} images of {width} x {height} pixels with {len(taught.view_names)} views each")
    typer.echo(f"look at {out / CONTACT_SHEET}")
