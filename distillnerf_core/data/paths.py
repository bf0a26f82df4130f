"""File names from tables of strangers."""

from pathlib import Path, PurePosixPath


def file_inside(folder: Path, name: str) -> Path:
    """Returns the path of a file that a table names, which must lie in the folder of the table.

    Links within the folder may lead elsewhere: whoever made them could read what they lead to.

    Raises:
        ValueError: If the name is absolute or climbs out of the folder.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise ValueError(f"file name {name[:120]!r} leads out of {folder}")
    return folder / parts
