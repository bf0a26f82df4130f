"""What a recording may be like before a library that trusts it opens it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from distillnerf_core.errors import BagError
from distillnerf_core.streams.mcap_check import mcap_is_sound

MAX_METADATA_BYTES = 2**24


def index_is_sound(path: Path) -> bool:
    """Tells whether a recording can be opened through its index; where not, it is read record by record.

    Args:
        path: rosbag2 folder, .mcap or .db3.

    Raises:
        BagError: If it is above the limits, or compressed as a whole: archives are not unpacked.
    """
    if not path.is_dir():
        return _file_is_sound(path)
    metadata = path / "metadata.yaml"
    if not metadata.is_file():
        return False
    if metadata.stat().st_size > MAX_METADATA_BYTES:
        raise BagError(f"{metadata} is above the limit of {MAX_METADATA_BYTES} bytes")
    mode = str(_information(metadata).get("compression_mode", "")).lower()
    if mode not in ("", "none", "storage"):
        raise BagError(
            f"{path} is compressed by {mode}, which is not unpacked here; write it again with `ros2 bag convert`, "
            "without compression or with that of the MCAP storage"
        )
    return all(_file_is_sound(file) for file in sorted(path.iterdir()) if file.suffix in (".mcap", ".db3"))


def _file_is_sound(path: Path) -> bool:
    return _sqlite_is_sound(path) if path.suffix == ".db3" else mcap_is_sound(path)


def _information(metadata: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(metadata.read_text(encoding="utf-8"))
        information = content["rosbag2_bagfile_information"]
        return information if isinstance(information, dict) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError):
        return {}


def _sqlite_is_sound(path: Path) -> bool:
    """Tells whether the tables are plain ones: a view or computed column may have no end."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA writable_schema=ON")  # as where a cut file is read
            query = "SELECT type, rootpage FROM sqlite_master WHERE name IN ('messages', 'topics')"
            tables = connection.execute(query).fetchall()
            columns = [
                hidden
                for table in ("messages", "topics")
                for *_, hidden in connection.execute(f"PRAGMA table_xinfo({table})")
            ]
    except sqlite3.Error:
        return False
    if any(kind != "table" or not page for kind, page in tables) or any(columns):
        raise BagError(f"{path}: its tables are computed, not recorded; this is no recording of ROS 2")
    return len(tables) == 2
