"""What every per-scene teacher gives: dense distance of the images of a drive, and views from beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveImage

Offset = tuple[float, float, float]

VIRTUAL_OFFSETS_M: Mapping[str, Offset] = {
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "up": (0.0, -1.0, 0.0),
}
"""Where the virtual cameras stand: metres along the camera's own axes, x right, y down, z forward (section 9.1)."""


@dataclass(frozen=True)
class TaughtView:
    """What a teacher says about one view, of a real or a virtual camera.

    Attributes:
        pixels: RGB [height width 3]; of a real camera its own photograph, resized. Anything where not `seen`.
        ray_distance_m: Distance [height width] along the unit ray, metres; NaN where unknown and in the sky.
        sky: Whether [height width] the teacher takes the pixel for sky.
        confidence: Trust [height width] in the distance or the sky, 0 to 1; 0 where neither is known.
        seen: Whether [height width] measurements back the pixel; of a virtual camera also its colour. Losses leave
            out all other pixels.
    """

    pixels: NDArray[np.uint8]
    ray_distance_m: NDArray[np.float32]
    sky: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    seen: NDArray[np.bool_]


@runtime_checkable
class Teacher(Protocol):
    """A teacher built for one drive. Views are asked for in the order of time, where that is possible."""

    @property
    def name(self) -> str:
        """Kind of the teacher: fusion, field."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Configuration as plain JSON values; equal settings give equal views."""

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        """Returns an image of the drive at a size, with its distances."""

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        """Returns what the camera of an image would see from elsewhere at the same time.

        Args:
            image: An image of the drive.
            offset_m: Displacement along the camera's own axes, metres; its orientation stays.
            height: Rows of the view.
            width: Columns of the view.
        """
