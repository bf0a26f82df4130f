"""The tables of a nuScenes download, read row by row: sample_data.json alone is a gigabyte."""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import DataError, TransformError
from distillnerf_core.geometry.transforms import rigid_from_quaternion

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
Row = dict[str, Any]
_CHUNK_CHARACTERS = 2**22
_LARGEST_ROW = 2**22
_MOST_LISTED = 30
_SAMPLE_KEYS = ("token", "scene_token", "timestamp")
_READING_KEYS = ("sample_token", "ego_pose_token", "calibrated_sensor_token", "timestamp", "filename", "is_key_frame")


@dataclass(frozen=True)
class Sensor:
    """A sensor as it is mounted in a scene.

    Attributes:
        channel: Name, such as CAM_FRONT.
        modality: "camera", "lidar" or "radar".
        sensor_to_ego: Mounting pose [4 4], metres.
        intrinsics: Pinhole matrix [3 3] of a camera, pixels; None for others.
    """

    channel: str
    modality: str
    sensor_to_ego: FloatArray
    intrinsics: FloatArray | None


@dataclass(frozen=True)
class Reading:
    """What a sensor recorded once.

    Attributes:
        sensor: The sensor.
        stamp_ns: Its time.
        path: The file, which need not exist.
        size: Height and width of an image, pixels; (0, 0) for others.
        key_frame: Whether it belongs to one of the two labelled glances a second.
        ego_to_global: Pose [4 4] of the vehicle at its time, metres.
        sample: Token of that glance; between glances, of the next one.
    """

    sensor: Sensor
    stamp_ns: int
    path: Path
    size: tuple[int, int]
    key_frame: bool
    ego_to_global: FloatArray
    sample: str


@dataclass(frozen=True)
class Sample:
    """One of the labelled glances, two a second.

    Attributes:
        scene: Name of its scene.
        stamp_ns: Its time, that of its LiDAR revolution.
    """

    scene: str
    stamp_ns: int


class NuScenesTables:
    """The tables of one version.

    Args:
        root: Folder with samples/, sweeps/ and the folder of the version.
        version: Such as "v1.0-mini" or "v1.0-trainval".

    Raises:
        DataError: If there is no such version; names those that there are.
    """

    def __init__(self, root: Path, version: str) -> None:
        self.root = root
        self._folder = root / version
        if not (self._folder / "scene.json").is_file():
            found = sorted(path.parent.name for path in root.glob("*/scene.json")) if root.is_dir() else []
            raise DataError(
                f"{self._folder} has no scene.json; versions in {root}: {', '.join(found) or 'none'}; give the folder "
                "that holds samples/, sweeps/ and the tables, and --version"
            )

    def scenes(self) -> dict[str, str]:
        """Returns the token of each scene by its name, sorted by name."""
        return dict(sorted((row["name"], row["token"]) for row in self.rows("scene", ("name", "token"))))

    def readings(self, scene: str) -> list[Reading]:
        """Reads everything that all sensors recorded in a scene, sorted by time.

        Raises:
            DataError: If there is no such scene, or a table is missing or damaged.
        """
        return self.readings_of(self.samples([scene]))[scene]

    def samples(self, scenes: Collection[str]) -> dict[str, Sample]:
        """Returns the samples of some scenes by their tokens.

        Raises:
            DataError: If there is no such scene, or a table is missing or damaged.
        """
        tokens = self.scenes()
        for scene in scenes:
            if scene not in tokens:
                listed = ", ".join(list(tokens)[:_MOST_LISTED])
                more = f" and {len(tokens) - _MOST_LISTED} more" if len(tokens) > _MOST_LISTED else ""
                raise DataError(f"{self._folder} has no {scene}; it has {listed}{more}")
        names = {tokens[scene]: scene for scene in scenes}
        rows = [row for row in self.rows("sample", _SAMPLE_KEYS) if row["scene_token"] in names]
        found = {str(row["token"]): self.convert("sample", row, lambda row: _sample(row, names)) for row in rows}
        for scene in set(scenes) - {sample.scene for sample in found.values()}:
            raise DataError(f"{self._folder}/sample.json has no sample of {scene}; is the download complete?")
        return found

    def readings_of(self, samples: Mapping[str, Sample]) -> dict[str, list[Reading]]:
        """Reads everything that all sensors recorded in some scenes, sorted by time, by the names of the scenes.

        Each table is read once, and of the large ones only the rows of the scenes are kept.

        Args:
            samples: From :meth:`samples`.

        Raises:
            DataError: If a scene has no reading, or a table is missing or damaged.
        """
        sensors = self._sensors()
        rows = [row for row in self.rows("sample_data", _READING_KEYS) if row["sample_token"] in samples]
        wanted = {row["ego_pose_token"] for row in rows}
        of_poses = self.rows("ego_pose", ("token", "rotation", "translation"))
        poses = {row["token"]: row for row in of_poses if row["token"] in wanted}
        found: dict[str, list[Reading]] = {sample.scene: [] for sample in samples.values()}
        for row in rows:
            reading = self.convert("sample_data", row, lambda row: self._reading(row, sensors, poses))
            found[samples[reading.sample].scene].append(reading)
        for scene, readings in found.items():
            if not readings:
                raise DataError(f"{self._folder}/sample_data.json has no reading of {scene}; is the download complete?")
            readings.sort(key=lambda reading: reading.stamp_ns)
        return found

    def rows(self, table: str, keys: tuple[str, ...]) -> Iterator[Row]:
        """Yields the rows of a table, a few megabytes of the file at a time.

        Raises:
            DataError: If the table is missing or damaged, or a row lacks one of the keys.
        """
        path = self._folder / f"{table}.json"
        for row in read_rows(path):
            if not isinstance(row, dict) or any(key not in row for key in keys):
                raise DataError(f"{path}: a row without {', '.join(keys)}: {str(row)[:120]}")
            yield row

    def convert(self, table: str, row: Row, read: Callable[[Row], Any]) -> Any:
        """Returns what a function makes of a row.

        Raises:
            DataError: If the function cannot use the row; quotes it.
        """
        try:
            return read(row)
        except (KeyError, TypeError, ValueError, OverflowError, TransformError) as err:
            raise DataError(f"{self._folder}/{table}.json: cannot use the row {str(row)[:120]}: {err!r}") from err

    def _sensors(self) -> dict[str, Sensor]:
        kinds = {row["token"]: row for row in self.rows("sensor", ("token", "channel", "modality"))}
        keys = ("token", "sensor_token", "translation", "rotation", "camera_intrinsic")
        return {
            row["token"]: self.convert("calibrated_sensor", row, lambda row: _sensor(row, kinds))
            for row in self.rows("calibrated_sensor", keys)
        }

    def _reading(self, row: Row, sensors: Mapping[str, Sensor], poses: Mapping[str, Row]) -> Reading:
        return Reading(
            sensor=sensors[row["calibrated_sensor_token"]],
            stamp_ns=int(row["timestamp"]) * 1000,
            path=file_inside(self.root, str(row["filename"])),
            size=(int(row.get("height") or 0), int(row.get("width") or 0)),
            key_frame=bool(row["is_key_frame"]),
            ego_to_global=row_pose(poses[row["ego_pose_token"]]),
            sample=str(row["sample_token"]),
        )


def read_rows(path: Path) -> Iterator[Any]:
    """Yields the entries of a JSON array, a few megabytes of the file at a time, with a bar for large files.

    Raises:
        DataError: If the file is missing, no array, damaged or cut.
    """
    decoder = json.JSONDecoder()
    try:
        with path.open(encoding="utf-8") as stream, _progress(path) as progress:
            text = stream.read(_CHUNK_CHARACTERS).lstrip()
            if not text.startswith("["):
                raise DataError(f"{path}: expected a JSON array; download the table again")
            place, ended = 1, False
            while True:
                place = _next_entry(text, place)
                try:
                    if text[place] == "]":
                        return
                    entry, place = decoder.raw_decode(text, place)
                    yield entry
                except (ValueError, IndexError) as err:
                    if ended or len(text) - place > 2 * _CHUNK_CHARACTERS + _LARGEST_ROW:
                        raise DataError(f"{path} is cut or damaged ({err}); download the table again") from err
                    more = stream.read(_CHUNK_CHARACTERS)
                    progress.update(len(more))
                    text, place, ended = text[place:] + more, 0, not more
    except (OSError, UnicodeDecodeError, RecursionError) as err:
        raise DataError(f"cannot read {path}: {err}") from err


def _next_entry(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place


def _progress(path: Path) -> Any:
    size = path.stat().st_size
    small = size < 20 * _CHUNK_CHARACTERS
    return tqdm(total=size, desc=f"reading {path.name}", unit="B", unit_scale=True, disable=True if small else None)


def _sensor(row: Row, kinds: Mapping[str, Row]) -> Sensor:
    kind = kinds[row["sensor_token"]]
    camera = kind["modality"] == "camera"
    intrinsics = np.array(row["camera_intrinsic"], dtype=np.float64).reshape(3, 3) if camera else None
    return Sensor(str(kind["channel"]), str(kind["modality"]), row_pose(row), intrinsics)


def _sample(row: Row, names: Mapping[str, str]) -> Sample:
    return Sample(names[row["scene_token"]], int(row["timestamp"]) * 1000)


def row_pose(row: Row) -> FloatArray:
    """Returns the pose [4 4] that a row holds as `translation`, metres, and `rotation`, quaternion w x y z.

    Raises:
        ValueError: If it holds none.
    """
    w, x, y, z = (float(value) for value in row["rotation"])
    translation = np.array(row["translation"], dtype=np.float64).reshape(3)
    quaternion = np.array([x, y, z, w])
    if not np.isfinite([*translation, *quaternion]).all() or abs(np.linalg.norm(quaternion) - 1.0) > 0.01:
        raise ValueError("no rotation or translation")
    return rigid_from_quaternion(translation, quaternion)
