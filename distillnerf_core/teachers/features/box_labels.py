"""Classes of pixels from labelled boxes."""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, DriveImage
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.language.classes import UNKNOWN

FloatArray = NDArray[np.float64]
_NEAREST_M = 0.1
_FARTHEST_PX = 30_000.0
_POINTS_ON_EDGE = 24
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = [(a, b) for a in range(8) for b in range(a) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1.0]
_ALONG = np.linspace(0.0, 1.0, _POINTS_ON_EDGE)[:, None]
_WIREFRAME = np.concatenate([_CORNERS[a] + _ALONG * (_CORNERS[b] - _CORNERS[a]) for a, b in _EDGES])
"""Points on the edges of a unit cube; those behind a camera are left out, which cuts the box at its near plane."""


def track_labels(image: DriveImage, tracks: Sequence[BoxTrack]) -> NDArray[np.uint8]:
    """Labels the pixels of an image of a drive from tracks at its time; see :func:`draw_boxes`."""
    boxes = []
    for track in tracks:
        pose = track.pose(image.stamp_ns)
        if pose is not None:
            x, y, z = (float(value) for value in pose[:3, 3])
            boxes.append(LabelledBox(track.label, (x, y, z), track.size_lwh_m, math.atan2(pose[1, 0], pose[0, 0])))
    return draw_boxes(boxes, image.camera_to_world, image.intrinsics, image.height, image.width)


def draw_boxes(
    boxes: Iterable[LabelledBox], camera_to_frame: FloatArray, intrinsics: FloatArray, height: int, width: int
) -> NDArray[np.uint8]:
    """Fills the outline of every box with its class, the farthest box first.

    Such labels are coarse: an outline also covers what is seen beside the object, and what stands before it
    without a box of its own. Boxes whose label is no Occ3D class hide those behind them.

    Args:
        boxes: Boxes in one frame.
        camera_to_frame: Pose [4 4] of the camera in that frame, metres.
        intrinsics: Pinhole matrix [3 3], pixels.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        Class of each pixel [height width], 255 where there is no box.
    """
    labels = np.full((height, width), UNKNOWN, dtype=np.uint8)
    frame_to_camera = np.linalg.inv(camera_to_frame)

    def distance(box: LabelledBox) -> float:
        return float(np.linalg.norm(np.array(box.center_m) - camera_to_frame[:3, 3]))

    for box in sorted(boxes, key=distance, reverse=True):
        points = _edge_points(box) @ frame_to_camera[:3, :3].T + frame_to_camera[:3, 3]
        seen = points[points[:, 2] > _NEAREST_M] @ intrinsics.T
        if len(seen) < 3:
            continue
        # OpenCV counts the middles of pixels at integers; far outside, its fixed point overflows.
        outline = np.clip(seen[:, :2] / seen[:, 2:] - 0.5, -_FARTHEST_PX, _FARTHEST_PX)
        hull = cv2.convexHull(outline.astype(np.float32))
        number = box.occ3d_class
        cv2.fillConvexPoly(labels, np.rint(hull).astype(np.int32), UNKNOWN if number is None else number)
    return labels


def _edge_points(box: LabelledBox) -> FloatArray:
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    turned = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray((_WIREFRAME * np.array(box.size_lwh_m)) @ turned.T + np.array(box.center_m))
