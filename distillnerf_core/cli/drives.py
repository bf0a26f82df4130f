"""What commands about drives share: the options that choose drives of a data set, and teachers by their names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.data.drive import Drive
    from distillnerf_core.teachers.protocol import Teacher

SceneOption = Annotated[
    list[str] | None,
    typer.Option(help="Scene of nuScenes, such as scene-0061, or segment of Waymo; may be given several times."),
]
VersionOption = Annotated[str, typer.Option(help="Version of nuScenes.")]
SplitOption = Annotated[str, typer.Option(help="Split of nuScenes instead of scenes, such as val or mini_val.")]
SplitFileOption = Annotated[
    Path | None,
    typer.Option(
        help="File that names the scenes of --split (JSON), or scenes or segments one a line; default: splits.json "
        "beside the tables, else the lists of an installed nuscenes-devkit."
    ),
]


def _fusion(drive: "Drive") -> "Teacher":
    from distillnerf_core.teachers.fusion.config import FusionConfig
    from distillnerf_core.teachers.fusion.teacher import FusionTeacher

    return FusionTeacher(drive, FusionConfig())


TEACHERS: Mapping[str, Callable[["Drive"], "Teacher"]] = {"fusion": _fusion}
"""Builds a teacher of each kind with its default settings."""


def create_teacher(kind: str, drive: "Drive") -> "Teacher":
    """Builds a teacher for a drive.

    Raises:
        ConfigurationError: If there is no such teacher.
    """
    if kind not in TEACHERS:
        raise ConfigurationError(f"no teacher {kind!r}; there are {', '.join(TEACHERS)}")
    return TEACHERS[kind](drive)
