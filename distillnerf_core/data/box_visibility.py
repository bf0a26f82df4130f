"""What cameras and the LiDAR see of labelled boxes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveImage, FloatArray

_ALONG = (-0.8, 0.0, 0.8)
_PLACES = np.stack(np.meshgrid(_ALONG, _ALONG, _ALONG, indexing="ij"), axis=-1).reshape(-1, 3)
_NEAREST_M = 0.1
_PARALLEL_M = 1e-9


def points_inside(points_m: FloatArray, box_to_world: FloatArray, size_lwh_m: Sequence[float]) -> NDArray[np.bool_]:
    """Tells which points [n 3] in the world lie in a box, its surface included."""
    half = np.array(size_lwh_m) / 2
    near = np.abs(points_m - box_to_world[:3, 3]).max(axis=1) <= np.linalg.norm(half)
    inside = np.zeros(len(points_m), dtype=np.bool_)
    local = (points_m[near] - box_to_world[:3, 3]) @ box_to_world[:3, :3]
    inside[near] = (np.abs(local) <= half).all(axis=1)
    return inside


def visible_fractions(images: Sequence[DriveImage], boxes: FloatArray, sizes_lwh_m: FloatArray) -> FloatArray:
    """Estimates how much of each box the images show: the share of places in it that no other box hides.

    Nothing but the boxes is known here, so walls hide nothing.

    Args:
        images: Images of one time.
        boxes: box_to_world [n 4 4] of all boxes of that time.
        sizes_lwh_m: Their sizes [n 3].

    Returns:
        A fraction [n] in [0, 1].
    """
    half = sizes_lwh_m / 2
    places = np.einsum("nij,npj->npi", boxes[:, :3, :3], _PLACES * half[:, None]) + boxes[:, None, :3, 3]
    seen = np.zeros(places.shape[:2], dtype=np.bool_)
    for image in images:
        own, place = np.nonzero(_in_image(image, places) & ~seen)
        seen[own, place] = ~_hidden(image.camera_to_world[:3, 3], places[own, place], own, boxes, half)
    return np.asarray(seen.mean(axis=1))


def _in_image(image: DriveImage, places: FloatArray) -> NDArray[np.bool_]:
    local = (places - image.camera_to_world[:3, 3]) @ image.camera_to_world[:3, :3]
    depth = np.maximum(local[..., 2], _NEAREST_M)
    column, row = np.moveaxis((local / depth[..., None]) @ image.intrinsics[:2].T, -1, 0)
    inside = (column >= 0) & (column <= image.width) & (row >= 0) & (row <= image.height)
    return np.asarray(inside & (local[..., 2] > _NEAREST_M))


def _hidden(
    eye: FloatArray, places: FloatArray, own: NDArray[np.int64], boxes: FloatArray, half: FloatArray
) -> NDArray[np.bool_]:
    """Tells whether the way from an eye to places [m 3] of some boxes [m] crosses another box (slab method)."""
    start = np.einsum("nji,nj->ni", boxes[:, :3, :3], eye - boxes[:, :3, 3])
    way = np.einsum("nji,mj->mni", boxes[:, :3, :3], places - eye)
    way = np.where(np.abs(way) < _PARALLEL_M, _PARALLEL_M, way)
    first, second = (-half - start) / way, (half - start) / way
    enter, leave = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    crossed = (enter < leave) & (enter > 0) & (enter < 1)
    crossed[np.arange(len(own)), own] = False
    return np.asarray(crossed.any(axis=1))
