"""Frames with the features of an image model as targets, read from a cache beside them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.teachers.features.drive_features import DriveFeatures


@runtime_checkable
class NamedFrames(Protocol):
    """A data set of supervised frames whose images have names in a cache."""

    def __len__(self) -> int:
        """Number of frames."""

    def __getitem__(self, index: int, /) -> SupervisedFrame:
        """One frame."""

    def feature_key(self, index: int, camera: str, stamp_ns: int) -> str:
        """Returns the name of an image of a frame, or of a key-frame beside it."""


class FeaturedFrames:
    """Adds the features of images to frames, and to the key-frames beside them.

    Virtual views have none: an image model was not shown them. A cache that a run reads while it is still being
    written is an error where it lacks an image.

    Args:
        frames: The frames.
        features: Features of their images.
        size: Height and width of the targets: those of the rays.
        sky: False leaves the sky out.
        neighbours: Whether the key-frames beside a frame get features as well.
    """

    def __init__(
        self, frames: NamedFrames, features: DriveFeatures, size: tuple[int, int], sky: bool, neighbours: bool
    ) -> None:
        self._frames, self._features, self._size = frames, features, size
        self._sky, self._neighbours = sky, neighbours

    def __len__(self) -> int:
        """Returns the number of frames."""
        return len(self._frames)

    def __getitem__(self, index: int) -> SupervisedFrame:
        """Reads a frame and its features.

        Raises:
            DataError: If a file is missing or damaged.
        """
        supervised = self._frames[index]
        frame = supervised.frame
        body = torch.zeros_like(supervised.ray_distance_m, dtype=torch.bool) if frame.valid is None else ~frame.valid
        own = self._read(index, frame.rig.names, frame.camera_stamps_ns, supervised.ray_distance_m, body)
        return replace(supervised, features=own, others=tuple(self._beside(index, one) for one in supervised.others))

    def _beside(self, index: int, views: OtherViews) -> OtherViews:
        if not (self._neighbours and views.camera_stamps_ns):
            return views
        nothing = views.weight == 0
        found = self._read(index, views.rig.names, views.camera_stamps_ns, views.ray_distance_m, nothing)
        return replace(views, features=found)

    def _read(
        self,
        index: int,
        cameras: Sequence[str],
        stamps_ns: Sequence[int],
        distance_m: Float[Tensor, "cameras height width"],
        unwanted: Bool[Tensor, "cameras height width"],
    ) -> Float[Tensor, "cameras channels rows columns"]:
        images = []
        for number, (camera, stamp) in enumerate(zip(cameras, stamps_ns, strict=True)):
            if bool(unwanted[number].all()):  # a camera that a key-frame lacks
                images.append(torch.full((self._features.index.compression.channels, *self._size), torch.nan))
                continue
            masked = unwanted[number] if self._sky else unwanted[number] | distance_m[number].isinf()
            key = self._frames.feature_key(index, camera, stamp)
            images.append(self._features.read_key(key, self._size, masked).features)
        return torch.stack(images)
