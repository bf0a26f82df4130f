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
from distillnerf_core.teachers.features.drive_features import DriveFeatures


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


class StoredFeatures:
    """Features that `distillnerf extract-features` wrote.

    Args:
        folder: See :class:`DriveFeatures`.

    Raises:
        DataError: As :class:`DriveFeatures`.
    """

    def __init__(self, folder: Path) -> None:
        self._features = DriveFeatures(folder)

    @property
    def description(self) -> str:
        """What they are."""
        teacher, folder = self._features.index.teacher, self._features.folder.name
        return f"features of the teacher {teacher!r} as stored in {folder}, interpolated bilinearly"

    @property
    def normalised(self) -> bool:
        """They are compared as they are."""
        return False

    def read(self, drive: Drive, image: DriveImage, height: int, width: int) -> Float[Tensor, "channels height width"]:
        """Reads the features of an image.

        Raises:
            DataError: If they are missing or damaged.
        """
        return self._features.read(drive.name, image.camera, image.stamp_ns, (height, width)).features


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
