"""Removes lens distortion from images at the size that the network wants."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.pinhole_view import MAX_FOV_DEG, pinhole_view

FloatArray = NDArray[np.float64]
OVERSAMPLING = 2
"""Samples along each side of a rectified pixel: bilinear samples of a source of about that density, averaged."""
_LARGEST_ANGLE = math.radians(85.0)


class Rectifier:
    """Makes the network's pinhole images from one camera's images.

    The raw image is decoded at `source_size`, not at the network's: a lens whose image is magnified when it is
    straightened would lose detail. Where nothing has to be removed, `source_size` is the network's and `apply` copies
    nothing.

    Args:
        calibration: Of the camera.
        height: Rows of the network's images.
        width: Columns of the network's images.
        max_fov_deg: Largest field of view that a fisheye is rectified to.

    Attributes:
        intrinsics: Pinhole matrix [3 3] of the rectified image, pixels.
        source_size: (height, width) of the images given to `apply`.
        valid: True where the lens saw something [height width]; None where it did everywhere.

    Raises:
        CalibrationError: If no pinhole image can be made of the camera's.
    """

    def __init__(
        self, calibration: PinholeCalibration, height: int, width: int, max_fov_deg: float = MAX_FOV_DEG
    ) -> None:
        self.intrinsics = pinhole_view(calibration, height, width, max_fov_deg)
        self.source_size = (height, width)
        self.valid: NDArray[np.bool_] | None = None
        self._size = (height, width)
        self._maps: tuple[NDArray[np.int16], NDArray[np.uint16]] | None = None
        if not calibration.distortion_model:
            return
        positions, inside = self._raw_positions(calibration)
        self.source_size = _source_size(calibration, positions, inside)
        scale = np.array([self.source_size[1] / calibration.width, self.source_size[0] / calibration.height])
        # OpenCV counts from pixel centres, we count from pixel corners.
        source = np.where(inside[..., None], positions * scale - 0.5, -2.0).astype(np.float32)
        self._maps = cv2.convertMaps(source[..., 0], source[..., 1], cv2.CV_16SC2)
        blocks = inside.reshape(height, OVERSAMPLING, width, OVERSAMPLING).all(axis=(1, 3))
        self.valid = None if bool(blocks.all()) else np.asarray(blocks)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns the rectified image [height width ...] of one [source_height source_width ...]."""
        if self._maps is None:
            return image
        height, width = self._size
        fine = cv2.remap(image, *self._maps, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _raw_positions(self, calibration: PinholeCalibration) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Returns where the samples of the output lie in the raw image [rows columns 2], and whether it has them."""
        height, width = (size * OVERSAMPLING for size in self._size)
        rows, columns = (np.mgrid[0:height, 0:width] + 0.5) / OVERSAMPLING
        matrix = self.intrinsics
        y = (rows - matrix[1, 2]) / matrix[1, 1]
        x = (columns - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
        tangents = np.stack([x, y], axis=-1)
        lens, raw = calibration.lens, calibration.intrinsics
        limit = math.tan(lens.angle_limit(_LARGEST_ANGLE))
        with np.errstate(over="ignore", invalid="ignore"):
            image = lens.distort(tangents.reshape(-1, 2)).reshape(tangents.shape)
            positions = image @ raw[:2, :2].T + raw[:2, 2]
            inside = (positions >= 0).all(-1) & (positions <= (calibration.width, calibration.height)).all(-1)
        inside &= np.linalg.norm(tangents, axis=-1) <= limit
        return np.where(inside[..., None], positions, 0.0), inside


def _source_size(calibration: PinholeCalibration, positions: FloatArray, inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Returns the size to decode the raw image at: one pixel for each sample where samples are farthest apart."""
    sizes = []
    for axis, raw_size in ((0, calibration.height), (1, calibration.width)):
        steps = np.abs(np.diff(positions[..., 1 - axis], axis=axis))
        known = np.logical_and(*(np.take(inside, indices, axis=axis) for indices in _neighbours(inside.shape[axis])))
        widest = float(steps[known].max()) if known.any() else 1.0
        sizes.append(min(raw_size, max(1, math.ceil(raw_size / max(widest, 1.0)))))
    return sizes[0], sizes[1]


def _neighbours(count: int) -> tuple[range, range]:
    return range(count - 1), range(1, count)
