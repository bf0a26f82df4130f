"""Images that features are extracted from, whatever they were recorded as."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.bag_drive import BagDrive
from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.data.simulated_drive import SimulatedDrive
from distillnerf_core.errors import DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.sharding import Shard
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.teachers.features.box_labels import track_labels

Pixels = NDArray[np.uint8]


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
        """Returns the number of images."""

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images."""


def image_key(drive: str, camera: str, stamp_ns: int) -> str:
    """Returns the name of an image: its drive, its camera and the time of its exposure.

    Clocks of different drives may show the same time, as those of all simulated streets do.
    """
    return f"{drive}/{camera}/{stamp_ns}"


class ShardedSource:
    """A share of the images of a source; the others are not read.

    Args:
        source: All images.
        shard: Which share.
    """

    def __init__(self, source: ImageSource, shard: Shard) -> None:
        self._source, self._shard = source, shard

    def __len__(self) -> int:
        """Returns the number of images of the share; of a recording, the most that there can be."""
        return self._shard.size(len(self._source))

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images of the share in the order of the source."""
        return (image for number, image in enumerate(self._source) if self._shard.holds(number))


class DriveSource:
    """The images of drives; labels are the true ones of simulated streets, else drawn from tracks.

    Args:
        drives: The drives.
        masks: Where cameras see the vehicle itself.
        key_frames: Whether only the key sweeps are taken, which are all that training and evaluation look at.

    Raises:
        DataError: If two drives have one name.
    """

    def __init__(self, drives: Sequence[Drive], masks: EgoMasks | None = None, key_frames: bool = True) -> None:
        self._masks = masks or EgoMasks("")
        names = [drive.name for drive in drives]
        if len(set(names)) < len(names):
            raise DataError(f"drives of the same name cannot share a cache: {', '.join(sorted(names))}")
        self._images: list[tuple[Drive, DriveImage]] = []
        for drive in drives:
            wanted = set(drive.key_sweeps)
            self._images += [(drive, image) for image in drive.images if not key_frames or image.sweep in wanted]

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._images)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yields the images drive by drive and sweep by sweep."""
        for drive, image in self._images:
            yield SourceImage(
                image_key(drive.name, image.camera, image.stamp_ns),
                partial(drive.read_image, image),
                partial(self._valid, drive, image),
                _label_reader(drive, image),
            )

    def _valid(self, drive: Drive, image: DriveImage, height: int, width: int) -> NDArray[np.bool_] | None:
        outside = _outside_body(self._masks.body(image.camera), height, width)
        seen = drive.valid_pixels(image) if isinstance(drive, BagDrive) else None
        if outside is None or seen is None:
            return seen if outside is None else outside
        return outside & seen


def _label_reader(drive: Drive, image: DriveImage) -> Callable[[], Pixels] | None:
    if isinstance(drive, SimulatedDrive):
        return partial(drive.true_labels, image)
    return partial(track_labels, image, drive.tracks) if drive.tracks else None


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
        for index in range(len(self._dataset)):
            frame = self._dataset[index]
            for number, camera in enumerate(frame.frame.rig.names):
                key = self._dataset.feature_key(index, camera, frame.frame.camera_stamps_ns[number])
                yield _simulated_image(key, frame, number)


class LabelledSource:
    """A source whose labels come from images of class ids, such as a segmenter's.

    Args:
        source: The images.
        folder: Folder with <key>.png for each image, or without the drive, CAMERA/STAMP_NS.png: one channel, classes
            as in `ImageBatch`, of any size.

    Raises:
        DataError: If there is no such folder.
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"labels: {folder} is no folder; expected DRIVE/CAMERA/STAMP_NS.png for each image")
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
        if not path.exists() and key.count("/") > 1:
            path = self._folder / f"{key.partition('/')[2]}.png"

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
