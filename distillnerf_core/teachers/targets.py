"""A teacher's views as tensors for training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.layout import ORIGINAL, IndexedImage, read_index
from distillnerf_core.teachers.protocol import TaughtView
from distillnerf_core.teachers.resizing import resize_distance
from distillnerf_core.teachers.view_file import read_views


@dataclass(frozen=True)
class TaughtTargets:
    """What a teacher says about some cameras at one time.

    Attributes:
        images: RGB in [0, 1].
        ray_distance_m: Distance along unit rays, metres; NaN where unknown and in the sky.
        sky: Where the teacher takes a pixel for sky.
        confidence: Trust in distance or sky, 0 to 1: the weight of losses.
        seen: Where measurements back the pixel; elsewhere nothing counts.
    """

    images: Float[Tensor, "cameras 3 height width"]
    ray_distance_m: Float[Tensor, "cameras height width"]
    sky: Bool[Tensor, "cameras height width"]
    confidence: Float[Tensor, "cameras height width"]
    seen: Bool[Tensor, "cameras height width"]

    def to(self, device: torch.device | str) -> "TaughtTargets":
        """Returns the targets with their tensors on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})

    def resized(self, height: int, width: int) -> "TaughtTargets":
        """Returns the targets at another size; distances are resized with regard to holes and edges.

        Sky and `seen` stay where they hold for more than half of a pixel.
        """
        if self.sky.shape[-2:] == (height, width):
            return self
        masks = torch.stack((self.sky.float(), self.confidence, self.seen.float()), dim=1)
        sky, confidence, seen = _average(masks, height, width).unbind(dim=1)
        distance = resize_distance(self.ray_distance_m, height, width)
        return TaughtTargets(
            images=_average(self.images, height, width).clamp(0.0, 1.0),
            ray_distance_m=distance.masked_fill(sky > 0.5, torch.nan),
            sky=sky > 0.5,
            confidence=confidence,
            seen=(seen > 0.5) & ((sky > 0.5) | ~distance.isnan()),
        )


class TaughtDrive:
    """Reads a folder that `distillnerf teach` wrote.

    Args:
        folder: The folder.

    Raises:
        DataError: If it is no such folder, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = read_index(folder)
        self._images = {(image.sweep, image.camera): image for image in self.index.images}

    @property
    def view_names(self) -> tuple[str, ...]:
        """Views of each image: `original` and the virtual ones."""
        return (ORIGINAL, *self.index.offsets_m)

    @property
    def complete(self) -> bool:
        """Whether all images are done."""
        return all((self.folder / image.file).is_file() for image in self.index.images)

    def views(self, sweep: int, camera: str) -> dict[str, TaughtView]:
        """Reads all views of an image.

        Raises:
            DataError: If the image does not belong to the folder, is not done, or its file is damaged.
        """
        image = self._image(sweep, camera)
        views = read_views(self.folder / image.file)
        size = (self.index.height, self.index.width)
        if tuple(views) != self.view_names or any(view.sky.shape != size for view in views.values()):
            raise DataError(
                f"{self.folder / image.file}: other views or sizes than {self.index.teacher!r} of this folder"
            )
        return views

    def targets(
        self, sweep: int, cameras: Sequence[str], view: str = ORIGINAL, size: tuple[int, int] | None = None
    ) -> TaughtTargets:
        """Reads one view of several cameras of a sweep.

        Args:
            sweep: Sweep of the drive.
            cameras: Names of the cameras, in the order of the result.
            view: One of `view_names`.
            size: Height and width of the result; None: as written.

        Raises:
            DataError: If there is no such image or view, or a file is missing or damaged.
        """
        if view not in self.view_names:
            raise DataError(f"{self.folder}: no view {view!r}; there are {', '.join(self.view_names)}")
        targets = _stack([self.views(sweep, camera)[view] for camera in cameras])
        return targets if size is None else targets.resized(*size)

    def _image(self, sweep: int, camera: str) -> IndexedImage:
        try:
            return self._images[sweep, camera]
        except KeyError:
            raise DataError(
                f"{self.folder}: holds no image of {camera} in sweep {sweep} of {self.index.drive}"
            ) from None


def _stack(views: Sequence[TaughtView]) -> TaughtTargets:
    pixels = torch.from_numpy(np.stack([view.pixels for view in views]))
    return TaughtTargets(
        images=pixels.permute(0, 3, 1, 2).float() / 255.0,
        ray_distance_m=torch.from_numpy(np.stack([view.ray_distance_m for view in views])),
        sky=torch.from_numpy(np.stack([view.sky for view in views])),
        confidence=torch.from_numpy(np.stack([view.confidence for view in views])),
        seen=torch.from_numpy(np.stack([view.seen for view in views])),
    )


def _average(images: Float[Tensor, "n channels rows columns"], height: int, width: int) -> Tensor:
    return interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=True)
