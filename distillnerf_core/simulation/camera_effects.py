"""What real cameras do to a picture: exposures that differ, dark corners and noise."""

import numpy as np
import pydantic
from numpy.typing import NDArray

from distillnerf_core.configuration import Config


class CameraEffects(Config):
    """Faults of the cameras; there are none by default.

    Attributes:
        exposure_stops: Standard deviation of the exposures of the cameras, in powers of two, constant over a drive.
        vignetting: Share of the light that is lost in the corners.
        noise: Standard deviation of the noise at white, on the scale of 0 to 1; it falls with the root of the signal.
    """

    exposure_stops: float = pydantic.Field(default=0.0, ge=0, le=2)
    vignetting: float = pydantic.Field(default=0.0, ge=0, lt=1)
    noise: float = pydantic.Field(default=0.0, ge=0, le=0.5)

    def exposure(self, seed: int, camera: int) -> float:
        """Returns the factor on the pixels of a camera."""
        return float(2.0 ** (self.exposure_stops * np.random.default_rng([seed, camera]).normal()))

    def apply(self, pixels: NDArray[np.uint8], seed: int, camera: int, stamp_ns: int) -> NDArray[np.uint8]:
        """Returns an image [height width 3] as the camera gives it; the same for the same seed, camera and time."""
        if self == CameraEffects():
            return pixels
        height, width = pixels.shape[:2]
        rows, columns = np.mgrid[:height, :width] + 0.5
        away = ((2 * rows / height - 1) ** 2 + (2 * columns / width - 1) ** 2) / 2
        signal = pixels / 255.0 * (self.exposure(seed, camera) * (1.0 - self.vignetting * away))[..., None]
        noise = np.random.default_rng([seed, camera, stamp_ns]).normal(size=pixels.shape)
        signal = signal + self.noise * np.sqrt(signal) * noise
        return np.asarray((signal * 255.0).round().clip(0, 255), dtype=np.uint8)
