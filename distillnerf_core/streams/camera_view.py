"""How one camera's messages become the network's images: rectification and mask together."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError
from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.image_decoding import ImageDecoder, resize
from distillnerf_core.streams.rectification import Rectifier


class CameraView:
    """Rectifier of a calibration with the pixels that count; both are made once.

    Args:
        camera: Name, for error messages.
        calibration: Of the camera.
        size: (height, width) of the network's images.
        max_fov_deg: Largest field of view that a fisheye is rectified to.
        body: 255 where the camera sees the robot itself, of any size; None where it never does.

    Attributes:
        intrinsics: Pinhole matrix [3 3] of the network's image, pixels.
        valid: True where a pixel shows the surroundings [height width]; None where all do.

    Raises:
        CalibrationError: If no pinhole image can be made, or none of its pixels shows the surroundings.
    """

    def __init__(
        self,
        camera: str,
        calibration: PinholeCalibration,
        size: tuple[int, int],
        max_fov_deg: float,
        body: NDArray[np.uint8] | None,
    ) -> None:
        self._camera = camera
        self._calibration = calibration
        self._rectifier = Rectifier(calibration, *size, max_fov_deg)
        self.intrinsics = self._rectifier.intrinsics
        self.valid = self._rectifier.valid
        if body is not None and body.any():
            outside = ~self._touched(body)
            self.valid = outside if self.valid is None else self.valid & outside
        if self.valid is not None and not self.valid.any():
            raise CalibrationError(f"{camera}: lens and ego mask leave no pixel; check its calibration and its mask")

    def image(self, message: object, decoder: ImageDecoder) -> NDArray[np.uint8]:
        """Returns the network's image [height width 3], black where it is not valid.

        Raises:
            CalibrationError: If the image is of another size than its calibration.
            ImageDecodeError: If it cannot be decoded.
        """
        image, known = decoder.inspect(message, self._camera), self._calibration
        if (image.height, image.width) != (known.height, known.width):
            raise CalibrationError(
                f"{self._camera}: image of {image.width}x{image.height} pixels, but its CameraInfo is for "
                f"{known.width}x{known.height}; publish both at one size"
            )
        pixels = self._rectifier.apply(decoder.decode_inspected(image, self._rectifier.source_size))
        return pixels if self.valid is None else pixels * self.valid[..., None]

    def _touched(self, body: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Returns which of the network's pixels the robot's body touches."""
        source = self._rectifier.source_size
        if body.shape[0] < source[0] or body.shape[1] < source[1]:
            body = cv2.resize(body, source[::-1], interpolation=cv2.INTER_NEAREST)
        return self._rectifier.apply(resize(body, source)) > 0
