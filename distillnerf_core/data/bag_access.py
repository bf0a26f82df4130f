"""Single messages of a recording, read again through its index when they are asked for."""

import os
from pathlib import Path
from typing import Any

from distillnerf_core.data.bag_index import MessagePlace
from distillnerf_core.errors import DataError, DistillNerfError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.message_fields import stamp_ns


class BagAccess:
    """Reads single messages of a recording by their places; every process opens the file for itself.

    Args:
        path: The recording.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: BagReader | None = None
        self._process = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_reader": None, "_process": 0}

    def read(self, place: MessagePlace) -> Any:
        """Returns the message at a place; not to be called by several threads at once.

        Raises:
            DataError: If the recording is not what it was when the place was found.
        """
        try:
            found = self._open().messages([place.topic], start_ns=place.log_ns, stop_ns=place.log_ns + 1)
            for item in found:
                if stamp_ns(item.message.header) == place.stamp_ns:
                    return item.message
        except DistillNerfError as err:
            raise DataError(f"cannot read {place.topic} at {place.log_ns} ns again: {err}") from err
        raise DataError(f"{self._path}: the message on {place.topic} at {place.log_ns} ns is gone; open the drive anew")

    def _open(self) -> BagReader:
        # A forked process shares the position in an open file with its parent.
        if self._reader is None or self._process != os.getpid():
            self._reader, self._process = BagReader(self._path), os.getpid()
        return self._reader
