"""Images that features are extracted from, whatever they were recorded as."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.frame_folder import FrameFolder
from distillnerf_core.data.neutral_layout import read_layout
from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.errors import BagError, DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.streams.bag_frames import BagFrameSource
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.streams.layouts import require_layout
from distillnerf_core.streams.stream_config import StreamConfig
from distillnerf_core.teachers.features.box_labels import track_labels, upright_box_labels

Pixels = NDArray[np.uint8]
_INFO_TYPE = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class SourceImage:
    """One image, read when it is asked for.

    Attributes:
        key: Name of the image in the cache, see :func:`image_key`.
        read: Reads the pixels [height width 3], RGB.
        read_valid: Gives True [height width] where a pixel shows the surroundings, for the height and width of the
            pixels; None: everywhere.
        read_labels: Gives the class [height width] of each pixel, see `ImageBatch`; None: unknown.
    """

    key: str
    read: Callable[[], Pixels]
    read_valid: Callable[[int, int], NDArray[np.bool_] | None]
    read_labels: Callable[[], Pixels] | None = None


@runtime_checkable
class ImageSource(Protocol):
    """Images in a fixed order, which can be gone through several times."""

    def __len__(self) -> int:
        """Returns the number of images; of a recording, the most that there can be."""

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images."""


def image_key(camera: str, stamp_ns: int) -> str:
    """Returns the name of an image: its camera and the time of its exposure."""
    return f"{camera}/{stamp_ns}"


class DriveSource:
    """The images of a drive; labels are drawn from its tracks.

    Args:
        drive: The drive.
        masks: Where cameras see the vehicle itself.
    """

    def __init__(self, drive: Drive, masks: EgoMasks | None = None) -> None:
        self._drive = drive
        self._masks = masks or EgoMasks("")

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._drive.images)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images sweep by sweep."""
        for image in self._drive.images:
            yield self._image(image)

    def _image(self, image: DriveImage) -> SourceImage:
        tracks = self._drive.tracks
        return SourceImage(
            image_key(image.camera, image.stamp_ns),
            lambda: self._drive.read_image(image),
            partial(_outside_body, self._masks.body(image.camera)),
            (lambda: track_labels(image, tracks)) if tracks else None,
        )


class FrameFolderSource:
    """The images of a folder in the neutral layout; labels are drawn from its boxes.

    Images without a time are named by the number of their frame.

    Args:
        folder: Folder with calib.json.
        masks: Where cameras see the vehicle itself.

    Raises:
        DataError: If the folder is not in the neutral layout.
    """

    def __init__(self, folder: Path, masks: EgoMasks | None = None) -> None:
        self._frames = FrameFolder(folder)
        self._layout = read_layout(folder)
        self._masks = masks or EgoMasks("")

    def __len__(self) -> int:
        """Returns the number of images."""
        return sum(len(frame.cameras) for frame in self._layout.frames)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images frame by frame."""
        for number, frame in enumerate(self._layout.frames):
            for camera, sensor in frame.cameras.items():
                stamp = sensor.stamp_ns
                key = f"{camera}/frame_{number:06d}" if stamp is None else image_key(camera, stamp)
                yield self._image(key, camera, number, sensor.path)

    def _image(self, key: str, camera: str, number: int, path: Path) -> SourceImage:
        def read() -> Pixels:
            pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if pixels is None:
                raise DataError(f"cannot read image {path}; calib.json names it")
            return np.ascontiguousarray(pixels[..., ::-1])

        valid = partial(_outside_body, self._masks.body(camera))
        return SourceImage(key, read, valid, lambda: upright_box_labels(self._frames[number], camera))


class SimulatedSource:
    """The images of a data set of simulated streets, with their exact classes.

    Streets begin at the same time, so that images are named by the file of their frame.

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: SimulatedDataset) -> None:
        self._dataset = dataset
        self._cameras = dataset[0].frame.rig.names

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._dataset) * len(self._cameras)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images frame by frame."""
        for index, path in enumerate(self._dataset.paths):
            frame = self._dataset[index]
            for number, camera in enumerate(frame.frame.rig.names):
                yield _simulated_image(f"{camera}/{path.stem}", frame, number)


class BagSource:
    """The images of a recording, rectified and in whole sweeps, as the node sees them.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        height: Rows that images are resized to.
        width: Columns that images are resized to.
        config: Limits and policies, with the ego masks.

    Raises:
        BagError: If the recording cannot be opened.
        ConfigurationError: If its camera layout is not recognised.
    """

    def __init__(self, path: Path, height: int, width: int, config: StreamConfig | None = None) -> None:
        self._path, self._size = path, (height, width)
        self._config = config or StreamConfig()
        with BagReader(path) as reader:
            layout = require_layout(self._config.preset, reader.topic_types()).select(self._config.cameras)
            counts = {item.topic: item.count for item in reader.topics()}
        self._images = sum(counts.get(camera.image_topic, 0) for camera in layout.cameras)

    def __len__(self) -> int:
        """Returns the number of image messages; sweeps that are incomplete or not located give fewer images."""
        return self._images

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images sweep by sweep.

        Raises:
            BagError: After the last frame of a cut recording.
        """
        for assembled in BagFrameSource(self._path, *self._size, self._config):
            frame = assembled.frame.visible()
            images = (frame.images * 255.0).round().byte().permute(0, 2, 3, 1).numpy()
            for index, camera in enumerate(frame.rig.names):
                valid = None if frame.valid is None else frame.valid[index].numpy()
                yield _ready(image_key(camera, frame.camera_stamps_ns[index]), images[index], valid)


def image_size(path: Path, config: StreamConfig) -> tuple[int, int]:
    """Returns the height and width of the images of a recording, by its first CameraInfo.

    Raises:
        BagError: If the recording cannot be opened, or holds no CameraInfo.
    """
    with BagReader(path) as reader:
        layout = require_layout(config.preset, reader.topic_types())
        topics = [camera.info_topic for camera in layout.cameras if camera.info_topic]
        for item in reader.messages(topics, types=(_INFO_TYPE,)):
            return int(item.message.height), int(item.message.width)
    raise BagError(f"{path}: no CameraInfo, without which images cannot be used")


class LabelledSource:
    """A source whose labels come from images of class ids, such as a segmenter's.

    Args:
        source: The images.
        folder: Folder with <key>.png for each image: one channel, classes as in `ImageBatch`, of any size.

    Raises:
        DataError: If there is no such folder.
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"labels: {folder} is no folder; expected CAMERA/STAMP_NS.png for each image")
        self._source, self._folder = source, folder

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._source)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images of the source."""
        for image in self._source:
            yield replace(image, read_labels=self._reader(image.key))

    def _reader(self, key: str) -> Callable[[], Pixels]:
        path = self._folder / f"{key}.png"

        def read() -> Pixels:
            labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
                raise DataError(f"labels: {path}: expected a PNG of one channel of 8 bits with a class for each pixel")
            return np.asarray(labels)

        return read


def _outside_body(body: Pixels | None, height: int, width: int) -> NDArray[np.bool_] | None:
    if body is None:
        return None
    # Linear, so that a pixel which covers any of the body counts as body.
    return np.asarray(cv2.resize(body, (width, height), interpolation=cv2.INTER_LINEAR) == 0)


def _simulated_image(key: str, frame: SupervisedFrame, number: int) -> SourceImage:
    pixels = (frame.frame.images[number] * 255.0).round().byte().permute(1, 2, 0).numpy()
    return _ready(key, pixels, None, frame.labels[number].numpy())


def _ready(key: str, pixels: Pixels, valid: NDArray[np.bool_] | None, labels: Pixels | None = None) -> SourceImage:
    return SourceImage(key, lambda: pixels, lambda _height, _width: valid, None if labels is None else lambda: labels)
