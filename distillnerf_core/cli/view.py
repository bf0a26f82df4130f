"""`distillnerf view`: a recording, or a running node, in the Rerun viewer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.perception.rerun_scene import RerunScene

app = typer.Typer()

_FIXED_FRAMES = ("odom", "map", "world")


@app.command()
def view(
    bag: Annotated[Path | None, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Show what a running node publishes; needs rclpy.")] = False,
    node: Annotated[str, typer.Option(help="Name of the running node.")] = "/distillnerf",
    save: Annotated[Path | None, typer.Option(help="Write a recording (.rrd) instead of opening a viewer.")] = None,
    connect: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A viewer that runs elsewhere: rerun+http://HOST:9876/proxy."),
    ] = None,
    points: Annotated[
        bool, typer.Option("--points", help="Voxels as points, which a weak computer draws faster.")
    ] = False,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Stop after this many frames.")] = None,
    query: QueryOption = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = "auto",
    preset: PresetOption = "auto",
    config: ConfigOption = None,
    model: ModelOption = None,
) -> None:
    """Shows a recording, perceived here, or a running node: cameras, depth, classes, occupancy, answers."""
    from distillnerf_core.perception.rerun_scene import RerunScene

    _check_choice(bag, live, save, connect)
    scene = RerunScene("points" if points else "boxes")
    if live:
        # A missing ROS is said before a viewer opens.
        watch = _live_view()
        _open(scene, save, connect)
        watch(scene, node, max_frames)
    elif bag is not None:
        recording = open_recording(bag, checkpoint, query or (), device, preset, config, model_options(model or ()))
        _open(scene, save, connect)
        _show_recording(scene, recording, max_frames)
    scene.close()
    if save is not None:
        typer.echo(f"{save}  {save.stat().st_size / 1024:.0f} KiB; look at it with `rerun {save}`")


def _check_choice(bag: Path | None, live: bool, save: Path | None, connect: str | None) -> None:
    if (bag is None) == (not live):
        raise ConfigurationError("view: give either a BAG or --live")
    if save is not None and connect is not None:
        raise ConfigurationError("view: give either --save FILE or --connect URL")


def _open(scene: "RerunScene", save: Path | None, connect: str | None) -> None:
    if save is not None:
        scene.save(save)
    else:
        scene.show(connect)


def _show_recording(scene: "RerunScene", recording: OpenRecording, max_frames: int | None) -> None:
    from itertools import islice

    from tqdm import tqdm

    from distillnerf_core.perception.rerun_result import log_answer, log_result

    pipeline, asked = recording.pipeline, recording.asked
    scene.arrange(recording.source.stream.layout.names, asked.texts if asked else ())
    for assembled in tqdm(islice(recording.frames(), max_frames), desc="view", unit="frame", total=max_frames):
        result = pipeline.perceive(assembled.frame)
        log_result(scene, result, _vehicle_pose(recording, result.stamp_ns))
        if asked is not None:
            heat = pipeline.query_images(result, asked)
            log_answer(scene, result, pipeline.query(result, asked), heat)


def _vehicle_pose(recording: OpenRecording, stamp_ns: int) -> Any:
    """Returns the vehicle's pose [4 4] in a frame that does not move; None where there is none."""
    from distillnerf_core.errors import TransformError

    transforms = recording.source.stream.transforms
    base = recording.base_frame
    for fixed in _FIXED_FRAMES:
        if transforms.connected(fixed, base):
            try:
                return transforms.lookup(fixed, stamp_ns, base, stamp_ns, fixed)
            except TransformError:
                return None
    return None


def _live_view() -> Any:
    import sys

    try:
        from distillnerf_ros.live_view import watch
    except ImportError as err:
        raise ConfigurationError(
            f"--live needs ROS 2, and {sys.executable} lacks {err.name}: source your ROS 2 "
            "(`source /opt/ros/jazzy/setup.bash`), or run `make setup` and `source scripts/ros_env.sh`"
        ) from err
    return watch
