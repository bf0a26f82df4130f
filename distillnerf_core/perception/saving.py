"""Everything about one frame in a folder that is either whole or not there."""

import itertools
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from distillnerf_core.errors import DataError, QueryError
from distillnerf_core.perception.export import write_image, write_result
from distillnerf_core.perception.pictures.colors import color_labels
from distillnerf_core.perception.pictures.overview import draw_overview
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.perception.summary import describe_frame


@dataclass(frozen=True)
class SavedFrame:
    """What was written.

    Attributes:
        folder: The frame's folder.
        size: Sum of its files, bytes.
    """

    folder: Path
    size: int


def save_frame(result: PerceptionResult, folder: Path) -> SavedFrame:
    """Writes a frame to `frame_STAMP` in a folder; a number is added where that exists.

    It holds what :func:`write_result` writes, and the network's images, reconstructions and classes of each camera
    (`image_CAMERA.png`, `rendered_CAMERA.png`, `semantics_CAMERA.png`), `overview.png` and `summary.json`. All is
    written beside it and renamed at the end.

    Args:
        result: A result with all outputs.
        folder: Where the frame's folder is made; made itself if needed.

    Raises:
        DataError: Naming the folder and the free space, if it cannot be written; nothing is left behind.
    """
    missing = [parent for parent in (folder, *folder.parents) if not _exists(parent)]
    name = f"frame_{result.stamp_ns}"
    temporary = folder / f".{name}_{os.getpid()}_{secrets.token_hex(4)}.part"
    try:
        temporary.mkdir(parents=True)
        _write(temporary, result)
        size = sum(file.stat().st_size for file in temporary.iterdir())
        return SavedFrame(_publish(temporary, folder, name), size)
    except (OSError, DataError) as err:
        raise DataError(f"cannot save the frame in {folder}, where {_free(folder)} free: {err}") from err
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(missing)


def frame_folder(asked: str, default: str) -> Path:
    """Returns the folder that a user named.

    Args:
        asked: What was asked for; "~" is the home folder, and a relative path lies in the default. Empty: the default.
        default: The configured folder.

    Raises:
        QueryError: If it cannot be the name of a folder.
    """
    if "\0" in asked:
        raise QueryError("folder holds a zero byte: give the path of a folder")
    try:
        return Path(default).expanduser() / Path(asked).expanduser()
    except RuntimeError as err:
        raise QueryError(f"folder {asked or default!r}: {err}") from err


def _write(folder: Path, result: PerceptionResult) -> None:
    write_result(folder, result)
    images = {"image": result.frame.images, "rendered": result.rgb}
    for camera, name in enumerate(result.frame.rig.names):
        for kind, pictures in images.items():
            if pictures is not None:
                rgb = (255 * pictures[camera].clamp(0, 1)).round().byte().permute(1, 2, 0)
                write_image(folder / f"{kind}_{name}.png", rgb.cpu().numpy())
        if result.semantics is not None:
            painted = color_labels(result.semantics[camera].cpu().numpy(), result.classes.labels)
            write_image(folder / f"semantics_{name}.png", painted)
    write_image(folder / "overview.png", draw_overview(result, title=f"distillnerf  |  {result.stamp_ns * 1e-9:.3f} s"))
    summary = json.dumps(describe_frame(result), indent=2)
    (folder / "summary.json").write_text(summary + "\n", encoding="utf-8")


def _publish(temporary: Path, folder: Path, name: str) -> Path:
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{name}_{number}")
        if not target.exists():
            return temporary.rename(target)
    raise AssertionError("counting does not end")


def _free(folder: Path) -> str:
    existing = next(parent for parent in (folder, *folder.parents) if _exists(parent))
    return f"{shutil.disk_usage(existing).free / 2**20:.0f} MiB are"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long, or a folder that may not be looked into
        return False


def _remove_empty(folders: list[Path]) -> None:
    """Takes folders away again that were made for nothing."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
