"""The folder of a teacher's views of one drive: index.json and views/SWEEP_CAMERA.zip.

The index is written first and says what belongs to the folder; an image is done when its file is there, so that a
killed run goes on where it stopped.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import DataError
from distillnerf_core.teachers.protocol import Offset, Teacher
from distillnerf_core.teachers.view_file import Views, write_views

INDEX_FILE = "index.json"
FORMAT = "distillnerf teacher views"
VERSION = 1
ORIGINAL = "original"


class IndexedImage(Config):
    """An image of the drive and its file.

    Attributes:
        sweep: Sweep of the image in the drive.
        camera: Name of the camera.
        stamp_ns: Time of the exposure.
        file: Name of its file in the folder.
    """

    sweep: int
    camera: str
    stamp_ns: int
    file: str


class TaughtIndex(Config):
    """What a folder holds.

    Attributes:
        format: Always `distillnerf teacher views`.
        version: Of the layout.
        drive: Name of the drive.
        teacher: Kind of the teacher.
        settings: Its configuration.
        height: Rows of all views.
        width: Columns of all views.
        offsets_m: The virtual views, metres along the camera's axes.
        images: All images that belong to the folder, done or not.
        fingerprint: SHA-256 of all other entries.
    """

    format: str
    version: int
    drive: str
    teacher: str
    settings: dict[str, Any]
    height: int = pydantic.Field(gt=0)
    width: int = pydantic.Field(gt=0)
    offsets_m: dict[str, Offset]
    images: tuple[IndexedImage, ...]
    fingerprint: str

    def computed_fingerprint(self) -> str:
        """Returns the fingerprint that belongs to the other entries."""
        content = self.model_dump(mode="json", exclude={"fingerprint"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def create_index(
    drive: Drive,
    teacher: Teacher,
    images: Sequence[DriveImage],
    size: tuple[int, int],
    offsets_m: Mapping[str, Offset],
) -> TaughtIndex:
    """Describes the folder of a teacher's views at a size (height, width)."""
    entries = tuple(
        IndexedImage(
            sweep=image.sweep,
            camera=image.camera,
            stamp_ns=image.stamp_ns,
            file=f"views/{image.sweep:06d}_{image.camera}.zip",
        )
        for image in images
    )
    index = TaughtIndex(
        format=FORMAT,
        version=VERSION,
        drive=drive.name,
        teacher=teacher.name,
        settings=dict(teacher.settings),
        height=size[0],
        width=size[1],
        offsets_m=dict(offsets_m),
        images=entries,
        fingerprint="",
    )
    return index.model_copy(update={"fingerprint": index.computed_fingerprint()})


def read_index(folder: Path) -> TaughtIndex:
    """Reads index.json.

    Raises:
        DataError: If it is missing, damaged, changed by hand, of another version or of something else.
    """
    path = folder / INDEX_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise DataError(f"cannot read {path}: {err}; expected a folder that `distillnerf teach` wrote") from err
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path}: not the index of a teacher's views; name the folder given to `distillnerf teach`")
    if content.get("version") != VERSION:
        raise DataError(f"{path}: version {content.get('version')}, this program reads {VERSION}; teach again")
    try:
        index = TaughtIndex.model_validate(content)
        for image in index.images:
            file_inside(folder, image.file)
    except ValueError as err:  # pydantic's errors are ValueErrors
        raise DataError(f"{path} is damaged: {err}; teach again into another folder") from err
    if index.fingerprint != index.computed_fingerprint():
        raise DataError(f"{path}: its entries do not belong to its fingerprint; teach again into another folder")
    return index


@dataclass(frozen=True)
class TaughtWriter:
    """Fills a folder.

    Attributes:
        folder: The folder.
        index: What belongs into it.
    """

    folder: Path
    index: TaughtIndex

    @classmethod
    def open(cls, folder: Path, index: TaughtIndex) -> "TaughtWriter":
        """Begins a folder, or goes on with it.

        Raises:
            DataError: If it holds something else, or the views of another drive, teacher, configuration or size.
        """
        if (folder / INDEX_FILE).exists():
            _refuse_other(folder, read_index(folder), index)
            return cls(folder, index)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} exists and holds no teacher's views; choose a new or empty folder")
        (folder / "views").mkdir(parents=True, exist_ok=True)
        _write_text(folder / INDEX_FILE, index.model_dump_json(indent=1) + "\n")
        return cls(folder, index)

    def missing(self) -> tuple[IndexedImage, ...]:
        """Returns the images that are not yet done."""
        return tuple(image for image in self.index.images if not (self.folder / image.file).is_file())

    def write(self, image: IndexedImage, views: Views) -> None:
        """Writes the views of an image, complete or not at all.

        Raises:
            DataError: If the file cannot be written.
        """
        write_views(self.folder / image.file, views)

    def remove_remains(self) -> None:
        """Removes half-written files of killed runs; call it when no other process writes."""
        for path in (self.folder / "views").glob("*.partial*"):
            path.unlink(missing_ok=True)


def _refuse_other(folder: Path, found: TaughtIndex, wanted: TaughtIndex) -> None:
    if found.fingerprint == wanted.fingerprint:
        return
    different = [name for name in TaughtIndex.model_fields if getattr(found, name) != getattr(wanted, name)]
    different.remove("fingerprint")
    raise DataError(
        f"{folder} holds views with other {', '.join(different)}; choose another folder, or delete this one"
    )


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
