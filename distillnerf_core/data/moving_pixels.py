"""Where an image shows labelled objects that move."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import Drive, DriveImage, FloatArray

_ENLARGED = 1.15
_NEAREST_M = 0.1
_LATTICE = np.stack(np.meshgrid(*3 * (np.linspace(-0.5, 0.5, 7),), indexing="ij"), axis=-1).reshape(-1, 3)


def moving_pixels(drive: Drive, image: DriveImage, height: int, width: int) -> NDArray[np.bool_]:
    """Tells which pixels [height width] of a resized image may show an object that moves during the drive.

    The outlines of boxes, enlarged a little; what hides an object is not known here, so its whole outline counts.

    Args:
        drive: The drive, whose tracks say what moves.
        image: One of its images.
        height: Rows of the result.
        width: Columns.
    """
    mask = np.zeros((height, width), dtype=np.uint8)
    scale = np.array((width / image.width, height / image.height))
    world_to_camera = np.linalg.inv(image.camera_to_world)
    for track in drive.tracks:
        pose = track.pose(image.stamp_ns) if track.moves else None
        if pose is not None:
            places = _LATTICE * np.array(track.size_lwh_m) * _ENLARGED
            _fill_outline(mask, places, world_to_camera @ pose, image.intrinsics, scale)
    return mask.astype(np.bool_)


def _fill_outline(
    mask: NDArray[np.uint8], places_m: FloatArray, to_camera: FloatArray, intrinsics: FloatArray, scale: FloatArray
) -> None:
    """Sets the convex outline of the part of a box that lies in front of the camera."""
    local = places_m @ to_camera[:3, :3].T + to_camera[:3, 3]
    ahead = local[local[:, 2] > _NEAREST_M]
    if not len(ahead):
        return
    pixels = (ahead @ intrinsics.T)[:, :2] / ahead[:, 2:] * scale
    limit = 8.0 * max(mask.shape)
    outline = cv2.convexHull(np.round(pixels.clip(-limit, limit) - 0.5).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1)
