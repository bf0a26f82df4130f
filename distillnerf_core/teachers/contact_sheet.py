"""A picture of a teacher's views for people."""

from pathlib import Path

import cv2
import numpy as np

from distillnerf_core.errors import DataError
from distillnerf_core.perception.pictures.colors import INVALID_COLOR, Image, color_depth, color_scores
from distillnerf_core.teachers.layout import ORIGINAL, IndexedImage
from distillnerf_core.teachers.protocol import TaughtView
from distillnerf_core.teachers.targets import TaughtDrive

_FARTHEST_M = 80.0
_MOST_ROWS = 12


def write_contact_sheet(path: Path, taught: TaughtDrive) -> None:
    """Draws some images, one a row: photograph, distance, confidence, virtual views. Holes are dark.

    Raises:
        DataError: If a file is missing or damaged, or the picture cannot be written.
    """
    rows = [draw_views(taught.views(image.sweep, image.camera)) for image in _chosen(taught.index.images)]
    sheet = np.concatenate(rows, axis=0)
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise DataError(f"cannot write {path}; free space or choose another folder")


def draw_views(views: dict[str, TaughtView]) -> Image:
    """Draws the views of one image side by side, RGB."""
    original = views[ORIGINAL]
    distance = np.where(original.sky, np.float32(np.inf), original.ray_distance_m)
    virtual = [
        np.where(view.seen[..., None], view.pixels, np.array(INVALID_COLOR, dtype=np.uint8))
        for name, view in views.items()
        if name != ORIGINAL
    ]
    pictures = [original.pixels, color_depth(distance, _FARTHEST_M), color_scores(original.confidence), *virtual]
    return np.concatenate(pictures, axis=1)


def _chosen(images: tuple[IndexedImage, ...]) -> list[IndexedImage]:
    """Chooses images evenly over time, so that all cameras come in turn."""
    if len(images) <= _MOST_ROWS:
        return list(images)
    step = len(images) // _MOST_ROWS
    cameras = len({image.camera for image in images})
    while step > 1 and np.gcd(step, cameras) > 1:
        step -= 1
    return list(images[::step][:_MOST_ROWS])
