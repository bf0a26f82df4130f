"""`distillnerf export`: one frame of a recording as points, voxels and a mesh for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.cli.recording import (
    CheckpointOption,
    ConfigOption,
    DeviceOption,
    ModelOption,
    OpenRecording,
    PresetOption,
    QueryOption,
    model_options,
    open_recording,
)

if TYPE_CHECKING:
    from distillnerf_core.streams.frame_assembler import AssembledFrame

app = typer.Typer()


@app.command()
def export(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    frame: Annotated[int, typer.Option(min=0, help="Which frame; 0 is the first.")] = 0,
    ply: Annotated[bool, typer.Option("--ply", help="Coloured points and cubes as PLY.")] = False,
    npz: Annotated[bool, typer.Option("--npz", help="Arrays for NumPy.")] = False,
    mesh: Annotated[bool, typer.Option("--mesh", help="A surface as PLY; needs scikit-image.")] = False,
    checkpoint: CheckpointOption = None,
    query: QueryOption = None,
    device: DeviceOption = "auto",
    preset: PresetOption = "auto",
    config: ConfigOption = None,
    model: ModelOption = None,
) -> None:
    """Writes one perceived frame as points, voxels and a mesh, in the vehicle's frame and metres.

    Without --ply, --npz and --mesh, points and arrays are written.
    """
    from distillnerf_core.perception.scene_files import (
        write_answer_files,
        write_array_files,
        write_mesh_files,
        write_point_files,
    )
    from distillnerf_core.perception.surfaces import load_marching_cubes

    if mesh:
        load_marching_cubes()  # says what is missing before minutes of inference
    ply, npz = (True, True) if not (ply or npz or mesh) else (ply, npz)
    recording = open_recording(bag, checkpoint, query or (), device, preset, config, model_options(model or ()))
    pipeline = recording.pipeline
    result = pipeline.perceive(_frame(recording, frame).frame)
    files = write_array_files(out, result) if npz else []
    files += write_point_files(out, result) if ply else []
    if mesh:
        files += write_mesh_files(out, result, pipeline.config.occupancy.density_threshold)
    if recording.asked is not None:
        files += write_answer_files(out, pipeline.query(result, recording.asked), ply or mesh, npz)
    for path in files:
        typer.echo(f"{path}  {path.stat().st_size / 1024:.0f} KiB")


def _frame(recording: OpenRecording, number: int) -> "AssembledFrame":
    from distillnerf_core.errors import BagError

    count = 0
    for count, assembled in enumerate(recording.frames(), 1):
        if count == number + 1:
            return assembled
    raise BagError(f"--frame {number}: {recording.source.path} has {count} frames, numbered from 0")
