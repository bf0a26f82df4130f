"""Figures of teachers' views that several benchmarks share."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedView
from distillnerf_core.evaluation.metrics import depth_errors, psnr
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import TaughtView

Figures = dict[str, float]


def true_view(drive: SimulatedDrive, image: DriveImage, camera: PlacedCamera) -> SimulatedView:
    """Returns what a camera sees at the time of an image."""
    return drive.render_view(camera.camera_to_world, camera.intrinsics, camera.height, camera.width, image.stamp_ns)


def distance_errors(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> Figures:
    """Compares distances [n]; those that are NaN count in the coverage alone."""
    known = ~np.isnan(predicted)
    errors = depth_errors(torch.from_numpy(predicted), torch.from_numpy(truth), max_m=math.inf)
    relative = np.abs(predicted[known] - truth[known]) / truth[known]
    return {
        "abs_rel": errors.abs_rel,
        "median_rel": float(np.median(relative)) if len(relative) else math.nan,
        "rmse_m": errors.rmse,
        "delta1": errors.delta1,
        "coverage": float(known.mean()) if len(known) else math.nan,
        "pixels": float(len(known)),
    }


def seen_psnr(view: TaughtView, truth: SimulatedView) -> float:
    """Returns the PSNR of the pixels that a teacher sees, of which there must be some, dB."""
    shown, true = (torch.from_numpy(pixels[view.seen]) / 255.0 for pixels in (view.pixels, truth.pixels))
    return psnr(shown, true)
