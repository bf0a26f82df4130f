"""Opens what commands about drives name: simulated streets and recorded drives; builds their teachers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distillnerf_core.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from distillnerf_core.data.drive import Drive
    from distillnerf_core.teachers.protocol import Teacher

_KINDS = "sim:SEED, a folder with calib.json, or a folder of nuScenes and --scene"


def open_drive(what: str, size: tuple[int, int], seconds: float, scene: str | None, version: str) -> "Drive":
    """Opens a drive.

    Args:
        what: `sim:SEED`, a folder in the neutral layout, or one of nuScenes.
        size: Height and width at which simulated images are rendered.
        seconds: Length of a simulated drive.
        scene: Scene of nuScenes, such as "scene-0061"; None for all else.
        version: Version of nuScenes, such as "v1.0-mini".

    Raises:
        ConfigurationError: If it is none of these.
        DataError: If it cannot be read.
    """
    from distillnerf_core.data.drive_sources import SIMULATED, is_simulated

    if is_simulated(what):
        return _simulated(what.removeprefix(SIMULATED), size, seconds)
    folder = Path(what)
    if not folder.is_dir():
        raise DataError(f"{what}: no such folder; give {_KINDS}")
    if scene is not None:
        from distillnerf_core.data.nuscenes_drive import NuScenesDrive

        return NuScenesDrive.open(folder, scene, version)
    from distillnerf_core.data.folder_drive import FolderDrive
    from distillnerf_core.data.neutral_layout import CALIBRATION_FILE

    if (folder / CALIBRATION_FILE).is_file():
        return FolderDrive(folder)
    raise DataError(f"{what}: has no {CALIBRATION_FILE}; give {_KINDS}")


def _simulated(seed: str, size: tuple[int, int], seconds: float) -> "Drive":
    from distillnerf_core.data.drive_sources import SIMULATED
    from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
    from distillnerf_core.simulation.simulator import SimulationConfig

    if not seed.isdecimal():
        raise ConfigurationError(f"{SIMULATED}{seed}: expected the number of a street, such as {SIMULATED}3")
    simulation = SimulationConfig(height=size[0], width=size[1], supersampling=1)
    return SimulatedDrive(SimulatedDriveConfig(seed=int(seed), seconds=seconds, simulation=simulation))


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
