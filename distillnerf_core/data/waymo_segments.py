"""Which segments of the Waymo Open Dataset there are, and which of them a benchmark uses."""

from pathlib import Path

from distillnerf_core.errors import DataError

MAX_LIST_BYTES = 2**24
_PREFIX = "segment-"
_SUFFIXES = (".parquet", ".tfrecord", "_with_camera_labels")


def segment_name(text: str) -> str:
    """Returns the name in version 2 of a segment, also from the name of its file in version 1.

    `segment-<name>_with_camera_labels.tfrecord` and `<name>.parquet` both give `<name>`.
    """
    name = text.strip()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.removeprefix(_PREFIX)


def segments_in(root: Path) -> tuple[str, ...]:
    """Returns the names of the segments whose images were downloaded.

    Args:
        root: Folder with a folder for each component, such as `training`.

    Raises:
        DataError: If there are none.
    """
    names = tuple(sorted(path.stem for path in (root / "camera_image").glob("*.parquet")))
    if not names:
        raise DataError(
            f"{root}/camera_image has no .parquet file; give the folder that holds camera_image, lidar, ..."
        )
    return names


def read_segment_list(path: Path) -> tuple[str, ...]:
    """Reads a list of segments, such as that of NOTR (EmerNeRF's benchmark of 120 segments), which the user provides.

    One segment a line: its name, or that of its file in version 1 or 2 of the data set. The last column of a line with
    several (by commas or blanks, such as an index before the name) counts; empty lines and what follows a # do not.

    Raises:
        DataError: If the file cannot be read, names no segment, or names one twice.
    """
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise DataError(f"{path} is above the limit of {MAX_LIST_BYTES} bytes; it is no list of segments")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"cannot read the list of segments {path}: {err}") from err
    words = [line.partition("#")[0].replace(",", " ").split() for line in lines]
    names = tuple(segment_name(line[-1]) for line in words if line)
    if not names:
        raise DataError(f"{path} names no segment; write one name a line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} names {twice[0][:120]} more than once")
    return names
