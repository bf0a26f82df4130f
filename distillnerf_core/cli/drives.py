"""What commands about drives share: the options that choose drives of a data set, and teachers by their names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.data.drive import Drive
    from distillnerf_core.teachers.field.config import FieldTeacherConfig
    from distillnerf_core.teachers.field.drive_rays import SkyMasks
    from distillnerf_core.teachers.fusion.config import FusionConfig
    from distillnerf_core.teachers.fusion.mono_depth import MonoDepth
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
ShardOption = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Do only share I, from 0, of N equal shares, as one of N processes."),
]


@dataclass(frozen=True)
class TeacherOptions:
    """What users may say about a teacher.

    Attributes:
        config: YAML file with its settings; None for the defaults.
        run: Folder in which a teacher that is trained keeps its state; None: it does not go on after a kill.
    """

    config: Path | None = None
    run: Path | None = None


def _fusion(drive: "Drive", options: TeacherOptions) -> "Teacher":
    from distillnerf_core.configuration import load_config
    from distillnerf_core.teachers.fusion.config import FusionConfig
    from distillnerf_core.teachers.fusion.teacher import FusionTeacher

    config = FusionConfig() if options.config is None else load_config(options.config, FusionConfig)
    return FusionTeacher(drive, config, _mono_depth(config))


def _mono_depth(config: "FusionConfig") -> "MonoDepth | None":
    """Loads the network that fills what the LiDAR does not reach, where the settings name one."""
    import torch

    from distillnerf_core.teachers.fusion.depth_network import load_depth_network

    mono = config.mono_depth
    if mono.folder is None:
        return None
    return load_depth_network(mono.folder, mono.short_side_px, "cuda" if torch.cuda.is_available() else "cpu")


def _field(drive: "Drive", options: TeacherOptions) -> "Teacher":
    import tempfile

    from distillnerf_core.teachers.field.teacher import FieldTeacher

    config = _field_config(options.config)
    masks = _lidar_sky(drive, (config.height, config.width)) if drive.scan_stamps_ns else None
    if options.run is not None:
        return FieldTeacher.fitted(drive, config, options.run, masks)
    with tempfile.TemporaryDirectory() as folder:
        return FieldTeacher.fitted(drive, config, Path(folder), masks)


def _field_config(path: Path | None) -> "FieldTeacherConfig":
    """Reads settings; without a file the full ones on a GPU, and the small ones on a CPU."""
    import torch

    from distillnerf_core.configuration import load_config
    from distillnerf_core.teachers.field.config import SMALL, FieldTeacherConfig

    if path is not None:
        return load_config(path, FieldTeacherConfig)
    return FieldTeacherConfig() if torch.cuda.is_available() else SMALL


def _lidar_sky(drive: "Drive", size: tuple[int, int]) -> "SkyMasks":
    """Takes for sky what the teacher `fusion` does: no beam comes back from it."""
    from distillnerf_core.teachers.fusion.config import FusionConfig
    from distillnerf_core.teachers.fusion.teacher import FusionTeacher

    fusion = FusionTeacher(drive, FusionConfig())
    return lambda image: fusion.original_view(image, *size).sky


TEACHERS: Mapping[str, Callable[["Drive", TeacherOptions], "Teacher"]] = {"fusion": _fusion, "field": _field}
"""Builds a teacher of each kind."""


def create_teacher(kind: str, drive: "Drive", options: TeacherOptions | None = None) -> "Teacher":
    """Builds a teacher for a drive; one that is trained is trained here.

    Raises:
        ConfigurationError: If there is no such teacher, or its settings are invalid.
        CheckpointError: If the folder of its run holds another run.
    """
    if kind not in TEACHERS:
        raise ConfigurationError(f"no teacher {kind!r}; there are {', '.join(TEACHERS)}")
    return TEACHERS[kind](drive, options or TeacherOptions())
