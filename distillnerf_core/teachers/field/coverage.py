"""Which points of a view lie in the sight of the images that the field was fitted to (section 9.1 d)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.teachers.placed_camera import PlacedCamera

_WINDOW_NS = 2_000_000_000
_STEP_NS = 400_000_000


def images_around(images: Sequence[DriveImage], stamp_ns: int) -> list[DriveImage]:
    """Returns images within 2 s of a time: of each camera the nearest one, and one every 0.4 s."""
    kept: list[DriveImage] = []
    for image in sorted(images, key=lambda image: abs(image.stamp_ns - stamp_ns)):
        near = abs(image.stamp_ns - stamp_ns) <= _WINDOW_NS
        same = [other for other in kept if other.camera == image.camera]
        if near and all(abs(other.stamp_ns - image.stamp_ns) >= _STEP_NS for other in same):
            kept.append(image)
    return kept


def in_sight(points_m: NDArray[np.floating], images: Sequence[DriveImage]) -> NDArray[np.bool_]:
    """Tells which points [*shape 3] of the world project into one of the images, hidden or not."""
    flat = points_m.reshape(-1, 3)
    seen = np.zeros(len(flat), dtype=bool)
    for image in images:
        left = np.flatnonzero(~seen)
        columns, rows, depth = PlacedCamera.of(image, image.height, image.width).project(flat[left])
        inside = (depth > 0.1) & (columns >= 0) & (columns < image.width) & (rows >= 0) & (rows < image.height)
        seen[left[inside]] = True
    return seen.reshape(points_m.shape[:-1])
