"""Drives by a short text: simulated streets by their seeds, or recordings and data sets by their paths."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from distillnerf_core.configuration import Config
from distillnerf_core.data.bag_drive import BagDrive, BagDriveConfig
from distillnerf_core.data.drive import Drive
from distillnerf_core.data.folder_drive import FolderDrive
from distillnerf_core.data.neutral_layout import CALIBRATION_FILE
from distillnerf_core.data.nuscenes_drive import NuScenesDrive, read_scenes
from distillnerf_core.data.nuscenes_splits import read_split
from distillnerf_core.data.nuscenes_tables import NuScenesTables
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.data.waymo_drive import WaymoDrive
from distillnerf_core.data.waymo_segments import read_segment_list, segment_name, segments_in
from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.simulation.street_options import read_street_options

SIMULATED = "sim:"
KINDS = (
    "sim:FIRST..LAST, or a folder of frames with a calib.json, a nuScenes folder (VERSION/scene.json), a recording "
    "(.mcap, .db3, or a folder with metadata.yaml), or a Waymo folder (camera_image/SEGMENT.parquet)"
)
_SEEDS = re.compile(r"sim:(\d{1,9})(?:\.\.(\d{1,9}))?")
_BAG_SUFFIXES = (".mcap", ".db3")
_MOST_LISTED = 5


class DriveOptions(Config):
    """Which drives of a data set are opened, and how.

    Attributes:
        simulated: Simulated drives, apart from their seeds.
        bag: Recordings.
        version: Version of nuScenes, such as "v1.0-trainval".
        scenes: Scenes of nuScenes or segments of Waymo; none: those of the split, else all.
        split: Split of nuScenes, such as "val"; empty: of the name of the file of splits, if one is given.
        split_file: File with the names of scenes, see :func:`read_split`, or of segments, see
            :func:`read_segment_list`; None: see :func:`read_split`.
    """

    simulated: SimulatedDriveConfig = SimulatedDriveConfig()
    bag: BagDriveConfig = BagDriveConfig()
    version: str = "v1.0-mini"
    scenes: tuple[str, ...] = ()
    split: str = ""
    split_file: Path | None = None

    @property
    def selects(self) -> bool:
        """Whether some drives of a data set are chosen."""
        return bool(self.scenes or self.split or self.split_file)


def open_drives(what: str, options: DriveOptions | None = None) -> list[Drive]:
    """Opens the drives that a text names.

    Args:
        what: `sim:SEED` or `sim:FIRST..LAST`, perhaps followed by options of streets such as `,light=dusk,wet=0.5`, or
            the path of a folder in the neutral layout, a nuScenes folder, a recording, or a Waymo folder.
        options: Which of them, and how.

    Raises:
        DataError: If the text is not understood, or data are missing or damaged.
        BagError: If a recording cannot be opened.
        ConfigurationError: If scenes are chosen of what has none, or an option of streets is unknown.
    """
    options = options or DriveOptions()
    if is_simulated(what):
        _refuse_choice(what, options)
        return [SimulatedDrive(config) for config in _simulated(what, options.simulated)]
    path = Path(what)
    for kind in _PATHS:
        if kind.fits(path):
            if not kind.has_scenes:
                _refuse_choice(what, options)
            return kind.open(path, options)
    raise DataError(f"{what}: expected {KINDS}; {_what_is_there(path)}")


def open_drive(what: str, options: DriveOptions | None = None) -> Drive:
    """Opens the only drive that a text names.

    Raises:
        DataError: As :func:`open_drives`, or if there are several drives; names the first of them.
    """
    drives = open_drives(what, options)
    if len(drives) > 1:
        names = ", ".join(drive.name for drive in drives[:_MOST_LISTED])
        raise DataError(f"{what} has {len(drives)} drives; choose one: {names}{', ...' * (len(drives) > _MOST_LISTED)}")
    return drives[0]


def is_simulated(text: str) -> bool:
    """Tells whether a text names simulated streets."""
    return text.startswith(SIMULATED)


def simulated_seeds(text: str) -> range:
    """Reads `sim:FIRST..LAST`, both included, or `sim:SEED`; options of streets may follow.

    Raises:
        DataError: If it is neither.
    """
    match = _SEEDS.fullmatch(text.partition(",")[0])
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        raise DataError(f"{text!r}: expected sim:SEED, such as sim:3, or sim:FIRST..LAST, such as sim:100000..100007")
    return range(first, last + 1)


def _simulated(text: str, base: SimulatedDriveConfig) -> list[SimulatedDriveConfig]:
    _, comma, said = text.partition(",")
    changes: dict[str, object] = {}
    if comma:
        options = read_street_options(said)
        changes = {"style": options.street_style(base.style), "effects": options.camera_effects()}
        changes["label"] = "_".join(sorted(said.replace("=", "-").split(",")))
    return [base.model_copy(update={"seed": seed, **changes}) for seed in simulated_seeds(text)]


class _Kind(NamedTuple):
    fits: Callable[[Path], bool]
    open: Callable[[Path, DriveOptions], list[Drive]]
    has_scenes: bool = False


def _is_bag(path: Path) -> bool:
    return (path.is_file() and path.suffix in _BAG_SUFFIXES) or (path / "metadata.yaml").is_file()


def _open_nuscenes(root: Path, options: DriveOptions) -> list[Drive]:
    scenes = options.scenes
    if not scenes and options.selects:
        split = options.split or Path(options.split_file or "").stem
        scenes = read_split(split, root, options.version, options.split_file)
    scenes = scenes or tuple(NuScenesTables(root, options.version).scenes())
    return [NuScenesDrive(content) for content in read_scenes(root, scenes, options.version)]


def _open_waymo(root: Path, options: DriveOptions) -> list[Drive]:
    if options.split:
        raise ConfigurationError(f"{root}: splits of Waymo are folders of their own; give a file of segments instead")
    segments = tuple(segment_name(scene) for scene in options.scenes)
    if not segments:
        segments = read_segment_list(options.split_file) if options.split_file else segments_in(root)
    return [WaymoDrive(root, segment) for segment in segments]


_PATHS = (
    _Kind(lambda path: (path / CALIBRATION_FILE).is_file(), lambda path, _: [FolderDrive(path)]),
    _Kind(lambda path: any(path.glob("*/scene.json")), _open_nuscenes, has_scenes=True),
    _Kind(_is_bag, lambda path, options: [BagDrive(path, options.bag)]),
    _Kind(lambda path: (path / "camera_image").is_dir(), _open_waymo, has_scenes=True),
)


def _refuse_choice(what: str, options: DriveOptions) -> None:
    if options.selects:
        raise ConfigurationError(f"{what} has no scenes to choose from; leave out scenes and splits")


def _what_is_there(path: Path) -> str:
    if path.is_dir():
        return "the folder has no calib.json, scene.json, metadata.yaml or camera_image"
    return "the file is no .mcap or .db3" if path.exists() else "there is no such folder or file"
