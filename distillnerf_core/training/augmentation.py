"""Other worlds that are just as true: mirrored streets and other exposures."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig

_MIRRORED = {"left": "right", "right": "left"}


def augment(supervised: SupervisedFrame, generator: torch.Generator) -> SupervisedFrame:
    """Mirrors the scene half of the time, and varies brightness, contrast and colour of each camera."""
    if torch.rand((), generator=generator).item() < 0.5:
        supervised = mirror(supervised)
    exposures = draw_exposures(len(supervised.frame.images), generator)
    images = exposures.apply(supervised.frame.images)
    others = tuple(replace(views, images=exposures.apply(views.images)) for views in supervised.others)
    return replace(supervised, frame=replace(supervised.frame, images=images), others=others)


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
        others=tuple(_mirror_views(views) for views in supervised.others),
        features=None if supervised.features is None else supervised.features.flip(-1),
    )


def _mirror_views(views: OtherViews) -> OtherViews:
    return replace(
        views,
        name=_MIRRORED.get(views.name, views.name),
        rig=_mirror_rig(views.rig),
        images=views.images.flip(-1),
        ray_distance_m=views.ray_distance_m.flip(-1),
        weight=views.weight.flip(-1),
        features=None if views.features is None else views.features.flip(-1),
    )


def _mirror_rig(rig: CameraRig) -> CameraRig:
    intrinsics = rig.intrinsics.clone()
    intrinsics[:, 0, 2] = rig.width - intrinsics[:, 0, 2]
    in_ego = rig.camera_to_ego.new_tensor([1.0, -1.0, 1.0, 1.0]).diag()
    in_camera = rig.camera_to_ego.new_tensor([-1.0, 1.0, 1.0, 1.0]).diag()
    return replace(rig, intrinsics=intrinsics, camera_to_ego=in_ego @ rig.camera_to_ego @ in_camera)


@dataclass(frozen=True)
class Exposures:
    """Linear changes of the colours of each camera: `(image - 0.5) * contrast + 0.5`, times gain, plus offset."""

    contrast: Float[Tensor, "cameras 1 1 1"]
    gain: Float[Tensor, "cameras 3 1 1"]
    offset: Float[Tensor, "cameras 1 1 1"]

    def apply(self, images: Float[Tensor, "cameras 3 height width"]) -> Float[Tensor, "cameras 3 height width"]:
        """Changes the images of all cameras, which stay in [0, 1]."""
        device = images.device
        varied = (images - 0.5) * self.contrast.to(device) + 0.5
        return (varied * self.gain.to(device) + self.offset.to(device)).clamp(0.0, 1.0)


def draw_exposures(cameras: int, generator: torch.Generator) -> Exposures:
    """Draws contrast, brightness and a gain of each colour channel for each camera."""
    return Exposures(
        contrast=1.0 + 0.3 * (torch.rand(cameras, 1, 1, 1, generator=generator) - 0.5),
        gain=1.0 + 0.2 * (torch.rand(cameras, 3, 1, 1, generator=generator) - 0.5),
        offset=0.15 * (torch.rand(cameras, 1, 1, 1, generator=generator) - 0.5),
    )
