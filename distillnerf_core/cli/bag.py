"""`distillnerf bag`: inspects and writes bags."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from distillnerf_core.streams.bag_summary import BagSummary


class BagGroup(TyperGroup):
    """Adds the player, which lives in the ROS layer and is imported only when it is shown or run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the command names."""
        return [*super().list_commands(ctx), "play"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command of a name."""
        if cmd_name != "play":
            return super().get_command(ctx, cmd_name)
        from distillnerf_ros.bag_player import play

        single = typer.Typer()
        single.command(name="play")(play)
        return typer.main.get_command(single)


app = typer.Typer(cls=BagGroup, help="Inspects, plays and writes bags.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Inspects, plays and writes bags."""


@app.command()
def info(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
) -> None:
    """Prints the topics, rates, cameras and frames of a bag."""
    from distillnerf_core.streams.bag_summary import summarise_bag

    summary = summarise_bag(bag)
    width = max((len(topic) for topic in summary.topics), default=5)
    typer.echo(f"{bag}: {summary.duration_s:.3f} s")
    typer.echo(f"{'topic':{width}s}  {'messages':>8s}  {'rate':>9s}  type")
    for topic, item in sorted(summary.topics.items()):
        typer.echo(f"{topic:{width}s}  {item.count:8d}  {item.rate_hz:6.2f} Hz  {item.message_type}")
    typer.echo(f"cameras: {', '.join(summary.cameras) or 'none recognised'}  (preset: {summary.layout or 'none'})")
    typer.echo(f"frames: {', '.join(f'{parent} -> {child}' for parent, child in summary.transforms) or 'none'}")
    typer.echo(f"training: {_training_needs(summary)}")
    for problem in summary.problems:
        typer.echo(f"problem: {problem}", err=True)
    if summary.problems:
        raise typer.Exit(1)


def _training_needs(summary: "BagSummary") -> str:
    """Says whether a recording has what training reads: cameras, poses, and LiDAR, which is optional."""
    from distillnerf_core.data.bag_index import ODOMETRY_TYPE
    from distillnerf_core.streams.point_clouds import CLOUD_TYPE

    odometry = summary.topics_of(ODOMETRY_TYPE)
    poses = f"TF in {summary.fixed_frame}" if summary.fixed_frame else ", ".join(odometry)
    lidar = ", ".join(summary.topics_of(CLOUD_TYPE)) or "none (no PointCloud2)"
    missing = [] if summary.cameras else ["no cameras recognised"]
    if not poses:
        missing.append("no poses (record /tf with odom or map -> base_link, or nav_msgs/Odometry)")
    if missing:
        return f"not possible: {'; '.join(missing)}"
    return f"possible: {len(summary.cameras)} cameras, poses from {poses}, LiDAR {lidar}"


@app.command()
def phases(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    preset: Annotated[str, typer.Option(help="Camera layout: auto, a preset's name or a YAML file.")] = "auto",
) -> None:
    """Finds when each camera fires within a sweep; prints the line phases_ms of a preset."""
    from distillnerf_core.streams.bag_phases import phases_of_bag

    found = phases_of_bag(bag, preset)
    typer.echo("phases_ms: {" + ", ".join(f"{name}: {phase:.1f}" for name, phase in found.items()) + "}")


@app.command("from-frames")
def from_frames(
    folder: Annotated[Path, typer.Argument(help="Folder with calib.json, frames/ and lidar/.")],
    output: Annotated[Path, typer.Argument(help="Bag to write: out.mcap, out.db3 or a folder.")],
    repeat: Annotated[
        int | None, typer.Option(min=1, help="Times to write the frames; default 8 for one frame, else 1.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=20.0, help="Repetitions each second.")] = 4.0,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing bag.")] = False,
) -> None:
    """Writes real frames as a bag in the layout of WATonomous nuscenes_to_ros2bag."""
    from distillnerf_core.data.bag_export import export_frames

    done = export_frames(folder, output, repeat=repeat, rate_hz=rate, overwrite=overwrite)
    typer.echo(f"{output}: {done.sweeps} sweeps, {done.images} images, {done.clouds} LiDAR sweeps")
    typer.echo(f"next: distillnerf bag info {output}; distillnerf predict {output} --out predictions")


@app.command("from-nuscenes")
def from_nuscenes(
    root: Annotated[Path, typer.Argument(help="Folder with samples/, sweeps/ and the tables' folder.")],
    output: Annotated[Path, typer.Argument(help="Bag to write: out.mcap, out.db3 or a folder.")],
    scene: Annotated[str, typer.Option(help="Name of the scene, such as scene-0061.")],
    version: Annotated[str, typer.Option(help="Folder of the tables: v1.0-mini, v1.0-trainval or v1.0-test.")] = (
        "v1.0-mini"
    ),
    sweeps: Annotated[
        bool, typer.Option("--sweeps/--key-frames", help="Every image (12 Hz), or the labelled ones (2 Hz).")
    ] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing bag.")] = False,
) -> None:
    """Writes a scene of a nuScenes download as a bag, with the vehicle's pose at every stamp."""
    from distillnerf_core.data.nuscenes_export import export_scene

    done = export_scene(root, output, scene, version=version, sweeps=sweeps, overwrite=overwrite)
    typer.echo(
        f"{output}: {done.duration_s:.1f} s, {done.images} images, {done.clouds} LiDAR sweeps, {done.poses} poses"
    )
    if done.missing:
        typer.echo(f"warning: {len(done.missing)} files are missing, the first is {done.missing[0]}", err=True)
    typer.echo(f"next: distillnerf bag info {output}; distillnerf predict {output} --out predictions")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="MCAP file with Foxglove's protobuf channels.")],
    target: Annotated[Path, typer.Argument(help="Bag to write: out.mcap, out.db3 or a folder.")],
    overwrite: Annotated[bool, typer.Option(help="Replace an existing bag.")] = False,
) -> None:
    """Converts a protobuf recording (foxglove nuscenes2mcap) to a bag that ROS 2 plays."""
    from distillnerf_core.streams.bag_convert import convert_bag

    done = convert_bag(source, target, overwrite=overwrite)
    for kind, count in sorted(done.written.items()):
        typer.echo(f"{count:8d}  {kind}")
    for kind, count in sorted(done.skipped.items()):
        typer.echo(f"{count:8d}  {kind} (skipped: no counterpart)")
