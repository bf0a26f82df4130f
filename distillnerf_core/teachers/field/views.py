"""Renders whole images of a field (section 9.1)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.teachers.field.drive_rays import FieldFrame
from distillnerf_core.teachers.field.neural_field import FieldOutput, NeuralField
from distillnerf_core.teachers.placed_camera import PlacedCamera

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FieldView:
    """An image of a field; all arrays are [height width], colours [height width 3].

    Attributes:
        pixels: RGB.
        distance_m: Expected distance along unit rays.
        median_m: Distance at which half of the light is stopped.
        spread_m: Standard deviation of the distance.
        opacity: Share of the light that is stopped.
        moving_opacity: Share that is stopped by what moves.
    """

    pixels: NDArray[np.uint8]
    distance_m: Floats
    median_m: Floats
    spread_m: Floats
    opacity: Floats
    moving_opacity: Floats


@torch.no_grad()
def render_view(
    field: NeuralField, frame: FieldFrame, camera: PlacedCamera, stamp_ns: int, appearance: int, chunk_rays: int
) -> FieldView:
    """Renders what a camera sees.

    Args:
        field: The field.
        frame: Its frame and clock.
        camera: Where the camera is, in the world.
        stamp_ns: When.
        appearance: Row of the appearance table; -1 for the mean.
        chunk_rays: Rays rendered at once.
    """
    device = field.appearance.device
    rays = frame.camera_rays(camera, stamp_ns, appearance)
    outputs = [field(part.to(device)) for part in rays.chunks(chunk_rays)]
    size = (camera.height, camera.width)

    def joined(name: str) -> Floats:
        return torch.cat([getattr(output.rendered, name) for output in outputs]).view(size).cpu().numpy()

    return FieldView(
        pixels=_pixels(outputs, size),
        distance_m=joined("distance_m"),
        median_m=joined("median_m"),
        spread_m=joined("spread_m"),
        opacity=joined("opacity"),
        moving_opacity=joined("moving_opacity"),
    )


def _pixels(outputs: list[FieldOutput], size: tuple[int, int]) -> NDArray[np.uint8]:
    colors = torch.cat([output.color for output in outputs if output.color is not None])
    return np.asarray((colors.clamp(0.0, 1.0) * 255.0).round().byte().view(*size, 3).cpu().numpy())
