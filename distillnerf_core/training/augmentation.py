"""Other worlds that are just as true: mirrored streets and other exposures."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig


def augment(supervised: SupervisedFrame, generator: torch.Generator) -> SupervisedFrame:
    """Mirrors the scene half of the time, and varies brightness, contrast and colour of each camera."""
    if torch.rand((), generator=generator).item() < 0.5:
        supervised = mirror(supervised)
    images = vary_exposure(supervised.frame.images, generator)
    return replace(supervised, frame=replace(supervised.frame, images=images))


def mirror(supervised: SupervisedFrame) -> SupervisedFrame:
    """Swaps left and right of the whole scene: images, calibration and voxels.

    The mirrored rig is a proper one: the ego frame is mirrored in y and every camera frame in x.
    The grid must be symmetric about y = 0.
    """
    frame, rig = supervised.frame, supervised.frame.rig
    instances = supervised.instances
    return replace(
        supervised,
        frame=replace(frame, rig=_mirror_rig(rig), images=frame.images.flip(-1)),
        ray_distance_m=supervised.ray_distance_m.flip(-1),
        labels=supervised.labels.flip(-1),
        occupancy=supervised.occupancy.flip(1),
        visible=supervised.visible.flip(1),
        instances=None if instances is None else instances.flip(-1),
    )


def _mirror_rig(rig: CameraRig) -> CameraRig:
    intrinsics = rig.intrinsics.clone()
    intrinsics[:, 0, 2] = rig.width - intrinsics[:, 0, 2]
    in_ego = rig.camera_to_ego.new_tensor([1.0, -1.0, 1.0, 1.0]).diag()
    in_camera = rig.camera_to_ego.new_tensor([-1.0, 1.0, 1.0, 1.0]).diag()
    return replace(rig, intrinsics=intrinsics, camera_to_ego=in_ego @ rig.camera_to_ego @ in_camera)


def vary_exposure(
    images: Float[Tensor, "cameras 3 height width"], generator: torch.Generator
) -> Float[Tensor, "cameras 3 height width"]:
    """Scales contrast, brightness and each colour channel a little, differently for each camera."""
    cameras = len(images)
    contrast = 1.0 + 0.3 * (torch.rand(cameras, 1, 1, 1, generator=generator) - 0.5)
    gain = 1.0 + 0.2 * (torch.rand(cameras, 3, 1, 1, generator=generator) - 0.5)
    offset = 0.15 * (torch.rand(cameras, 1, 1, 1, generator=generator) - 0.5)
    varied = (images - 0.5) * contrast.to(images.device) + 0.5
    return (varied * gain.to(images.device) + offset.to(images.device)).clamp(0.0, 1.0)
