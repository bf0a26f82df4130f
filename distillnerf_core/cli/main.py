"""The `distillnerf` command."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from distillnerf_core.errors import DistillNerfError

COMMANDS = {
    "simulate": "Makes simulated streets with exact ground truth, as a data set or a rosbag2 file.",
    "prepare": "Writes frames of drives with their targets, for training.",
    "train": "Trains the predictor; resumes where a killed run stopped.",
    "evaluate": "Measures a checkpoint on held-out scenes and prints a table with baselines.",
    "fit": "Optimises the predictor on given real frames alone.",
    "average": "Averages a predictor with the one that its training began with.",
    "predict": "Runs the perception pipeline on a bag, without ROS.",
    "view": "Shows a bag, or a running node, in the Rerun viewer.",
    "export": "Writes a frame of a bag as points, voxels and a mesh for other tools.",
    "teach": "Lets a per-scene teacher write dense distances and virtual views of a drive.",
    "extract-features": "Writes features of CLIP, DINOv2 or class labels for the images of a drive.",
    "bag": "Inspects, plays and writes bags.",
    "convert-checkpoint": "Converts published DistillNeRF weights, which are for non-commercial use.",
}


class LazyGroup(TyperGroup):
    """A command group that imports a command's module only when it runs, so that help is instant."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the command names in a fixed order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command, imported from the module of the same name."""
        if cmd_name not in COMMANDS:
            return None
        module: Any = import_module(f"distillnerf_core.cli.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name, command.help = cmd_name, COMMANDS[cmd_name]
        return command


app = typer.Typer(
    cls=LazyGroup,
    help="Open-vocabulary 3D perception from surround cameras.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Open-vocabulary 3D perception from surround cameras."""


def main() -> None:
    """Runs the command line; errors a user can act on end with one clear line and status 2."""
    try:
        app()
    except DistillNerfError as err:
        print(f"distillnerf: error: {err}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
