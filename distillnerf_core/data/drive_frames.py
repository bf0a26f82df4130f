"""A sweep of a drive as the frame that the network takes."""

from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.data.drive import Drive, DriveImage, FloatArray
from distillnerf_core.errors import DataError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig, scale_intrinsics

Resize = Literal["area", "bilinear"]
"""How images are made smaller: averaged over areas, or bilinearly without low-pass, as the published network was fed
(reference network, section 1.2)."""
_METHODS = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR}


def drive_frame(
    drive: Drive, sweep: int, height: int, width: int, reference_ns: int | None = None, resize: Resize = "area"
) -> MultiViewFrame:
    """Reads the images of a sweep at the network's size.

    Each extrinsic holds the motion between the exposure of its image and the reference time:
    `camera_to_ego = ego_to_world(reference)^-1 @ camera_to_world(exposure)`.

    Args:
        drive: The drive.
        sweep: Number of the sweep.
        height: Rows of the network's input.
        width: Columns of it.
        reference_ns: Time whose ego frame is the frame's; None: that of the sweep.
        resize: How images are resized.

    Raises:
        DataError: If there is no such sweep, it has no image, or a file is missing or damaged.
    """
    stamp = sweep_stamp_ns(drive, sweep) if reference_ns is None else reference_ns
    images = sweep_images(drive, sweep)
    pixels = np.zeros((len(images), height, width, 3), dtype=np.uint8)
    for row, image in enumerate(images):
        if image is not None:
            pixels[row] = cv2.resize(drive.read_image(image), (width, height), interpolation=_METHODS[resize])
    return MultiViewFrame(
        stamp_ns=stamp,
        rig=sweep_rig(drive, sweep, height, width, stamp),
        images=torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255.0,
        camera_mask=torch.tensor([image is not None for image in images]),
        camera_stamps_ns=tuple(0 if image is None else image.stamp_ns for image in images),
    )


def sweep_rig(drive: Drive, sweep: int, height: int, width: int, reference_ns: int | None = None) -> CameraRig:
    """Returns the calibration of a sweep; cameras that it lacks have a pose and intrinsics without meaning.

    Args:
        drive: The drive.
        sweep: Number of the sweep.
        height: Rows of the images.
        width: Columns.
        reference_ns: Time whose ego frame the extrinsics lead to; None: that of the sweep.

    Raises:
        DataError: As :func:`drive_frame`, files apart.
    """
    images = sweep_images(drive, sweep)
    to_ego = ego_from_world(drive, sweep_stamp_ns(drive, sweep) if reference_ns is None else reference_ns)
    poses = [np.eye(4) if image is None else to_ego @ image.camera_to_world for image in images]
    intrinsics = [torch.eye(3) if image is None else _scaled(image, height, width) for image in images]
    return CameraRig(
        names=tuple(drive.cameras),
        intrinsics=torch.stack(intrinsics),
        camera_to_ego=torch.from_numpy(np.stack(poses)).float(),
        height=height,
        width=width,
    )


def sweep_images(drive: Drive, sweep: int) -> tuple[DriveImage | None, ...]:
    """Returns the image of each of the drive's cameras in a sweep, None where the sweep lacks it.

    Raises:
        DataError: If the sweep has no image.
    """
    found = {image.camera: image for image in drive.images if image.sweep == sweep}
    if not found:
        raise DataError(f"{drive.name}: sweep {sweep} has no image; there are {len(drive.sweep_stamps_ns)} sweeps")
    return tuple(found.get(camera) for camera in drive.cameras)


def sweep_stamp_ns(drive: Drive, sweep: int) -> int:
    """Returns the reference time of a sweep.

    Raises:
        DataError: If there is no such sweep.
    """
    stamps = drive.sweep_stamps_ns
    if not 0 <= sweep < len(stamps):
        raise DataError(f"{drive.name}: no sweep {sweep}; there are {len(stamps)} sweeps")
    return stamps[sweep]


def ego_from_world(drive: Drive, stamp_ns: int) -> FloatArray:
    """Returns the transform [4 4] from the world to the ego frame at a time."""
    return np.asarray(np.linalg.inv(drive.ego_to_world(stamp_ns)))


def _scaled(image: DriveImage, height: int, width: int) -> Float[Tensor, "3 3"]:
    return scale_intrinsics(torch.from_numpy(image.intrinsics).float(), width / image.width, height / image.height)
