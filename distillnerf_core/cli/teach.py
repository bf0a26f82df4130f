"""`distillnerf teach`: dense depth and virtual views of a drive, from a per-scene teacher."""

from pathlib import Path
from typing import Annotated

import typer

from distillnerf_core.cli.drives import TeacherOptions, VersionOption, create_teacher

app = typer.Typer()
CONTACT_SHEET = "contact_sheet.jpg"


@app.command()
def teach(
    drive: Annotated[
        str, typer.Argument(help="sim:SEED, a folder with calib.json, nuScenes or Waymo, or a recording.")
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
) -> None:
    """Writes distance, sky, confidence and three virtual views for all images of the key sweeps of a drive.

    A killed run goes on where it stopped; the teacher `field`, which is trained first, keeps its state in
    OUT_field_run. A picture of the results is drawn beside them.
    """
    from tqdm import tqdm

    from distillnerf_core.data.drive_sources import DriveOptions, open_drive
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.simulation.simulator import SimulationConfig
    from distillnerf_core.teachers.contact_sheet import write_contact_sheet
    from distillnerf_core.teachers.targets import TaughtDrive
    from distillnerf_core.teachers.teaching import key_images
    from distillnerf_core.teachers.teaching import teach as teach_images

    simulation = SimulationConfig(height=height, width=width, supersampling=1)
    street = SimulatedDriveConfig(seconds=seconds, simulation=simulation)
    scenes = () if scene is None else (scene,)
    opened = open_drive(drive, DriveOptions(simulated=street, version=version, scenes=scenes))
    images = key_images(opened)
    options = TeacherOptions(config, out.with_name(f"{out.name}_{teacher}_run"))
    built = create_teacher(teacher, opened, options)
    with tqdm(total=len(images), desc=f"teach {opened.name}", unit="image") as bar:
        for done, _ in teach_images(out, opened, built, images, (height, width)):
            bar.update(done - bar.n)
    taught = TaughtDrive(out)
    write_contact_sheet(out / CONTACT_SHEET, taught)
    typer.echo(f"{out}: {len(images)} images of {width} x {height} pixels with {len(taught.view_names)} views each")
    typer.echo(f"look at {out / CONTACT_SHEET}")
