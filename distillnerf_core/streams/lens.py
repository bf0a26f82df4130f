"""Where a lens images a direction, and up to which angle it does so unambiguously."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
FISHEYE_MODELS = ("equidistant", "fisheye")
_SAMPLES = 4097


@dataclass(frozen=True)
class Lens:
    """A distortion model of `sensor_msgs/CameraInfo` with its coefficients.

    Directions are tangents (x/z, y/z) of points before the camera; images are in units of the focal length.

    Attributes:
        model: "plumb_bob", "rational_polynomial", "equidistant", "fisheye", or "" for a pinhole.
        coefficients: Of that model, in the order of CameraInfo.
    """

    model: str
    coefficients: tuple[float, ...]

    @property
    def is_fisheye(self) -> bool:
        """True for the equidistant model, whose image of 90 degrees is finite."""
        return self.model in FISHEYE_MODELS

    def distort(self, tangents: FloatArray) -> FloatArray:
        """Returns where directions [n 2] are imaged [n 2], relative to the principal point, in focal lengths."""
        if not self.model:
            return tangents
        if self.is_fisheye:
            radius = np.linalg.norm(tangents, axis=-1)
            scale = np.divide(self.image_radius(np.arctan(radius)), radius, out=np.ones_like(radius), where=radius > 0)
            return np.asarray(tangents * scale[:, None])
        points = np.concatenate([tangents, np.ones((len(tangents), 1))], axis=1)[:, None]
        zero, eye = np.zeros(3), np.eye(3)
        image, _ = cv2.projectPoints(points, zero, zero, eye, np.array(self.coefficients))
        return np.asarray(image, dtype=np.float64).reshape(-1, 2)

    def image_radius(self, angles: FloatArray) -> FloatArray:
        """Returns the distance from the principal point, in focal lengths, at angles to the axis in [0, pi/2).

        Tangential and tilt terms, which are small, are left out.
        """
        if self.is_fisheye:
            squared = angles**2
            powers = np.stack([np.ones_like(squared), squared, squared**2, squared**3, squared**4], axis=-1)
            return np.asarray(angles * (powers @ np.array([1.0, *self.coefficients])))
        radius = np.tan(angles)
        k = np.zeros(8)
        k[: min(8, len(self.coefficients))] = self.coefficients[:8]
        squared = radius**2
        above = 1 + squared * (k[0] + squared * (k[1] + squared * k[4]))
        below = 1 + squared * (k[5] + squared * (k[6] + squared * k[7]))
        return np.asarray(np.where(below > 0, radius * above / np.where(below > 0, below, 1.0), -1.0))

    def angle_limit(self, largest_rad: float, image_radius: float = np.inf) -> float:
        """Returns the largest angle to the axis that is imaged within a radius, and before the image folds back.

        Args:
            largest_rad: Do not look further; below pi/2.
            image_radius: Distance from the principal point, in focal lengths.
        """
        angles = np.linspace(0.0, largest_rad, _SAMPLES)
        with np.errstate(over="ignore", invalid="ignore"):
            radii = self.image_radius(angles)
            good = np.isfinite(radii) & (radii <= image_radius)
            good[1:] &= np.diff(radii) > 0
        first_bad = int(np.argmin(good)) if not good.all() else len(angles)
        return float(angles[max(0, first_bad - 1)])
