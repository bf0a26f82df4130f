"""What all teachers of image features have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


@dataclass(frozen=True)
class ImageBatch:
    """Images of one size, and what is known about their pixels.

    Attributes:
        images: RGB in [0, 1], at a size that :meth:`FeatureTeacher.working_size` gives.
        labels: Class of each pixel: 0..16 as in Occ3D, 17 sky, 255 unknown; None where no teacher needs it.
    """

    images: Float[Tensor, "images 3 height width"]
    labels: UInt8[Tensor, "images height width"] | None = None

    def to(self, device: torch.device | str) -> "ImageBatch":
        """Moves the batch to a device."""
        return ImageBatch(self.images.to(device), None if self.labels is None else self.labels.to(device))


@runtime_checkable
class FeatureTeacher(Protocol):
    """Turns images into dense features."""

    @property
    def name(self) -> str:
        """Short name, such as "clip"."""

    @property
    def channels(self) -> int:
        """Channels of a feature."""

    @property
    def reads_labels(self) -> bool:
        """Whether it looks at the labels of pixels, and not every cell needs to have a feature."""

    @property
    def margin_px(self) -> float:
        """Width of the border of the working image that lies outside the grid of cells, on each side.

        Overlapping patches are centred on a grid that begins half a patch inside the image, so that the
        first cell, one stride wide, begins (patch - stride) / 2 inside.
        """

    @property
    def description(self) -> Mapping[str, str]:
        """All that decides about the features: the model, its weights and how it is run."""

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width at which an image of this size has to be handed over."""

    def features(self, batch: ImageBatch) -> Float[Tensor, "images channels rows columns"]:
        """Returns a feature for each cell, float32 on the teacher's device; NaN where nothing is known."""

    def to(self, device: torch.device | str) -> "FeatureTeacher":
        """Moves the teacher to a device and returns it."""
