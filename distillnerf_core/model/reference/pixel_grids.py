"""The pixel grids of the published network, expressed as rigs whose pixel centres lie at integer + 0.5.

The published network takes pixel i of the small image at coordinate i of the scaled original camera, with integer
pixel centres and no half-pixel correction, and renders on a grid whose corners are aligned with the image's. Its
weights have learned both, so the reference variants keep them; here they become shifts of the principal point.
"""

from dataclasses import replace

import torch

from distillnerf_core.geometry.cameras import CameraRig


def lifting_rig(rig: CameraRig, original_width: int) -> CameraRig:
    """Returns the rig through whose pixel centres the published network lifts pixels (reference network, 1.8).

    Args:
        rig: True calibration at the network's input size, pixel centres at integer + 0.5.
        original_width: Width in pixels of the camera's own images, which were resized.
    """
    return _shifted(rig, 0.5 - 0.5 * rig.width / original_width)


def render_rig(rig: CameraRig, input_size: tuple[int, int], original_width: int) -> CameraRig:
    """Returns the rig of the published render grid (reference network, 1.13).

    Output column j looks through input column j (W - 1) / (w - 1); rows likewise.

    Args:
        rig: True calibration at the size of the render grid.
        input_size: Height and width of the network's input.
        original_width: Width in pixels of the camera's own images.
    """
    height, width = input_size
    lifted = _shifted(rig.resized(height, width), -0.5 * width / original_width)
    strides = (_stride(width, rig.width), _stride(height, rig.height))
    factors = rig.intrinsics.new_tensor([[1.0 / strides[0]], [1.0 / strides[1]], [1.0]])
    return _shifted(replace(lifted, intrinsics=lifted.intrinsics * factors, height=rig.height, width=rig.width), 0.5)


def _stride(pixels: int, samples: int) -> float:
    return (pixels - 1) / (samples - 1) if samples > 1 else float(pixels)


def _shifted(rig: CameraRig, pixels: float) -> CameraRig:
    """Moves the principal point along both axes."""
    shift = torch.zeros_like(rig.intrinsics)
    shift[:, :2, 2] = pixels
    return replace(rig, intrinsics=rig.intrinsics + shift)
