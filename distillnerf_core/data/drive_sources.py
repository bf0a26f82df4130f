"""Drives by a short text: simulated streets by their seeds, or a folder of recorded frames."""

import re
from pathlib import Path

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.folder_drive import FolderDrive
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError

SIMULATED = "sim:"
_SEEDS = re.compile(r"sim:(\d{1,9})(?:\.\.(\d{1,9}))?")


def simulated_seeds(text: str) -> range:
    """Reads `sim:FIRST..LAST`, both included, or `sim:SEED`.

    Raises:
        DataError: If it is neither.
    """
    match = _SEEDS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        raise DataError(f"{text!r}: expected sim:FIRST..LAST, such as sim:100000..100007, or sim:SEED")
    return range(first, last + 1)


def open_drives(text: str, config: SimulatedDriveConfig | None = None) -> list[Drive]:
    """Opens the drives that a text names.

    Args:
        text: `sim:FIRST..LAST`, `sim:SEED`, or a folder in the neutral layout.
        config: Simulated drives, apart from their seeds; None: the defaults.

    Raises:
        DataError: If the text is not understood, or the folder is not of the expected layout.
    """
    if is_simulated(text):
        config = config or SimulatedDriveConfig()
        return [SimulatedDrive(config.model_copy(update={"seed": seed})) for seed in simulated_seeds(text)]
    if not (Path(text) / "calib.json").is_file():
        raise DataError(f"{text}: expected sim:FIRST..LAST, or a folder of frames with a calib.json")
    return [FolderDrive(Path(text))]


def is_simulated(text: str) -> bool:
    """Tells whether a text names simulated streets."""
    return text.startswith(SIMULATED)
