"""Frames of drives with their targets, prepared once in a folder, so that training reads one small file a step."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distillnerf_core.data.frame_file import read_frame, write_frame
from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.errors import DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.teachers.features.sources import image_key
from distillnerf_core.teachers.layout import INDEX_FILE
from distillnerf_core.teachers.targets import TaughtDrive
from distillnerf_core.training.drive_supervision import DriveSupervisor, SupervisionConfig

DESCRIPTION = "frames.json"
FORMAT = "distillnerf-frames-of-drives"
VERSION = 1


class PreparedFrames:
    """Reads the frames of a folder that `distillnerf prepare` wrote, in order of drive and sweep.

    Args:
        folder: The folder, which may still be growing.

    Raises:
        DataError: If it is no such folder, or holds no frames yet.
    """

    def __init__(self, folder: Path) -> None:
        _read_description(folder)
        self.paths = tuple(sorted(folder.glob("*/sweep_*.npz")))
        if not self.paths:
            raise DataError(f"{folder}: no frames yet; run `distillnerf prepare` again")

    def __len__(self) -> int:
        """Returns the number of frames present when the folder was opened."""
        return len(self.paths)

    def __getitem__(self, index: int) -> SupervisedFrame:
        """Reads a frame.

        Raises:
            DataError: If its file is damaged.
        """
        return read_frame(self.paths[index])

    def feature_key(self, index: int, camera: str, stamp_ns: int) -> str:
        """Returns the name of an image of a frame's drive in a cache of features."""
        return image_key(self.paths[index].parent.name, camera, stamp_ns)


def prepare(
    folder: Path, supervisors: Sequence[DriveSupervisor], size: tuple[int, int], config: SupervisionConfig
) -> Iterator[Path]:
    """Writes the frames of the key sweeps of drives that the folder lacks; yields the path of each, old or new.

    Args:
        folder: Folder to begin or to go on with; drives may be added to it.
        supervisors: One for each drive.
        size: Height and width of images and targets.
        config: What the supervisors make targets of, which all frames of a folder share.

    Raises:
        DataError: If the folder holds frames of another size or other targets, two drives have one name, or a file
            cannot be read or written.
    """
    names = [supervisor.drive.name for supervisor in supervisors]
    if len(set(names)) < len(names):
        raise DataError(f"drives of the same name cannot share a folder: {', '.join(sorted(names))}")
    _describe(folder, {"size": list(size), "targets": config.model_dump(mode="json")})
    for supervisor in supervisors:
        own = folder / supervisor.drive.name
        own.mkdir(exist_ok=True)
        for sweep in supervisor.drive.key_sweeps:
            path = own / f"sweep_{sweep:06d}.npz"
            if not path.exists():
                write_frame(path, supervisor.supervise(sweep, *size))
            yield path


def find_taught(folder: Path | None, drive: str) -> TaughtDrive | None:
    """Opens what a teacher wrote about a drive: the folder itself, or the one in it of the drive's name.

    Raises:
        DataError: If there is neither.
    """
    if folder is None:
        return None
    own = folder / drive
    if not own.is_dir() and not (folder / INDEX_FILE).is_file():
        raise DataError(f"{folder}: no views of {drive}; write some with `distillnerf teach ... --out {own}`")
    return TaughtDrive(own if own.is_dir() else folder)


def open_frames(folder: Path) -> PreparedFrames | SimulatedDataset:
    """Opens a folder of frames to train on, whichever command wrote it.

    Raises:
        DataError: If it is neither, or damaged.
    """
    if (folder / DESCRIPTION).is_file():
        return PreparedFrames(folder)
    return SimulatedDataset(folder)


def _describe(folder: Path, settings: dict[str, Any]) -> None:
    path = folder / DESCRIPTION
    if path.exists():
        found = _read_description(folder)["settings"]
        different = sorted(name for name in settings if found.get(name) != settings[name])
        if different:
            raise DataError(f"{folder}: its frames have other {' and '.join(different)}; choose another folder")
        return
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} exists and holds something else; choose a new or empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{DESCRIPTION}.partial{os.getpid()}")
        content = {"format": FORMAT, "version": VERSION, "settings": settings, "digest": _digest(settings)}
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}; choose another folder") from err


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise DataError(f"{path}: {content['format']} version {content['version']}, expected {FORMAT} {VERSION}")
        if content["digest"] != _digest(content["settings"]):
            raise ValueError("its settings were changed by hand")
    except OSError as err:
        raise DataError(f"{folder} holds no prepared frames ({err}); make some with `distillnerf prepare`") from err
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise DataError(f"{path}: damaged ({err}); prepare the frames again into another folder") from err
    assert isinstance(content, dict)
    return content


def _digest(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
