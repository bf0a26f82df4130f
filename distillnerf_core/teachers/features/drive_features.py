"""Features of the images of drives."""

from pathlib import Path

from jaxtyping import Bool
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.features.cache import INDEX_FILE, FeatureIndex
from distillnerf_core.teachers.features.reader import FeatureImage, FeatureReader
from distillnerf_core.teachers.features.sources import image_key


class DriveFeatures:
    """Reads what `distillnerf extract-features` wrote of any number of drives.

    Args:
        folder: One cache, or a folder with one for each drive, by the drives' names; all of one model and one
            compression.

    Attributes:
        folder: The folder.

    Raises:
        DataError: If there is no cache, or there are some of different models or compressions.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folders = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]
        self._readers = {path: FeatureReader(path) for path in folders if (path / INDEX_FILE).is_file()}
        if not self._readers:
            raise DataError(f"{folder} holds no features; make them: distillnerf extract-features ... --out {folder}")
        by_space = {reader.cache.fingerprint: path for path, reader in self._readers.items()}
        if len(by_space) > 1:
            names = " and ".join(path.name for path in by_space.values())
            raise DataError(
                f"{folder}: {names} have different models, settings or compressions; extract all drives into one "
                "folder, or with the compression of the first: --pca FIRST/reduction_pca.npz"
            )

    @property
    def index(self) -> FeatureIndex:
        """What the features are."""
        return self._first.cache.index

    @property
    def fingerprint(self) -> str:
        """Identity of the model, its settings and the compression."""
        return self._first.cache.fingerprint

    @property
    def compression_path(self) -> Path | None:
        """File of the compression; None where features have all dimensions of the model."""
        return None if self.index.compression.kind == "none" else self._first.cache.compression_path

    def read(
        self,
        drive: str,
        camera: str,
        stamp_ns: int,
        size: tuple[int, int],
        masked: Bool[Tensor, "mask_height mask_width"] | None = None,
    ) -> FeatureImage:
        """Reads the features of an image; see :meth:`FeatureReader.read`.

        Args:
            drive: Name of the drive.
            camera: Name of the camera.
            stamp_ns: Time of the exposure.
            size: Height and width of the result.
            masked: True where nothing is wanted, such as the vehicle itself, at any size.

        Raises:
            DataError: If the features are missing or damaged.
        """
        return self.read_key(image_key(drive, camera, stamp_ns), size, masked)

    def read_key(
        self,
        key: str,
        size: tuple[int, int],
        masked: Bool[Tensor, "mask_height mask_width"] | None = None,
    ) -> FeatureImage:
        """Reads the features of an image by the name that the cache has for it.

        Caches of earlier versions leave the drive out.

        Raises:
            DataError: If the features are missing or damaged.
        """
        drive, _, short = key.partition("/")
        reader = self._readers.get(self.folder / drive, self._first)
        if key not in reader and short in reader:
            key = short
        return reader.read(key, *size, ego=masked)

    @property
    def _first(self) -> FeatureReader:
        return next(iter(self._readers.values()))
