"""What rendered features are compared with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.simulated_drive import SimulatedDrive
from distillnerf_core.errors import DataError
from distillnerf_core.language.classes import SKY
from distillnerf_core.teachers.features.cache import INDEX_FILE
from distillnerf_core.teachers.features.reader import FeatureReader
from distillnerf_core.teachers.features.sources import image_key


@runtime_checkable
class FeatureTargets(Protocol):
    """Features of the images of drives."""

    @property
    def description(self) -> str:
        """What they are, for a report."""

    @property
    def normalised(self) -> bool:
        """Whether they are unit vectors, so that the length of predictions does not count."""

    def read(self, drive: Drive, image: DriveImage, height: int, width: int) -> Float[Tensor, "channels height width"]:
        """Returns the features of an image at a size, NaN where they are not known.

        Raises:
            DataError: If there are none, saying what is expected where.
        """


@dataclass(frozen=True)
class StoredFeatures:
    """Features that `distillnerf extract-features` wrote.

    Attributes:
        folder: Its folder, or a folder with one for each drive, by the drives' names.
    """

    folder: Path

    @property
    def description(self) -> str:
        """What they are."""
        folders = [self.folder, *sorted(path for path in self.folder.glob("*") if path.is_dir())]
        found = next((folder for folder in folders if (folder / INDEX_FILE).is_file()), None)
        teacher = "unknown" if found is None else FeatureReader(found).cache.index.teacher
        return f"features of the teacher {teacher!r} as stored in {self.folder.name}, interpolated bilinearly"

    @property
    def normalised(self) -> bool:
        """They are compared as they are."""
        return False

    def read(self, drive: Drive, image: DriveImage, height: int, width: int) -> Float[Tensor, "channels height width"]:
        """Reads the features of an image.

        Raises:
            DataError: If they are missing or damaged.
        """
        own = self.folder / drive.name
        reader = FeatureReader(own if own.is_dir() else self.folder)
        return reader.read(image_key(image.camera, image.stamp_ns), height, width).features


@dataclass(frozen=True)
class ClassTargets:
    """The text feature of the true class of each pixel of simulated streets: what the package's checkpoints learn.

    Attributes:
        class_features: Unit features of the 17 classes and, last, the sky.
    """

    class_features: Float[Tensor, "classes channels"]

    @property
    def description(self) -> str:
        """What they are."""
        return "the checkpoint's own text feature of the class that each pixel truly shows, the sky left out"

    @property
    def normalised(self) -> bool:
        """They are unit vectors."""
        return True

    def read(self, drive: Drive, image: DriveImage, height: int, width: int) -> Float[Tensor, "channels height width"]:
        """Renders the classes and looks up their features.

        Raises:
            DataError: If the drive is not simulated.
        """
        if not isinstance(drive, SimulatedDrive):
            raise DataError(
                f"{drive.name}: there are no features to compare with; write some with `distillnerf extract-features` "
                "and name their folder with --features"
            )
        scaled = np.diag((width / image.width, height / image.height, 1.0)) @ image.intrinsics
        view = drive.render_view(image.camera_to_world, scaled, height, width, image.stamp_ns)
        labels = torch.from_numpy(view.labels).long()
        features = self.class_features.float().cpu()[labels.clamp_max(SKY)].permute(2, 0, 1)
        return features.masked_fill(labels >= SKY, torch.nan)
