"""The frame types that all sources of data share."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid


@dataclass(frozen=True)
class MultiViewFrame:
    """One glance of all cameras.

    Attributes:
        stamp_ns: Reference time; the ego frame is the body frame at this time.
        rig: Calibration at the image resolution. Each extrinsic takes a point from the camera at its own
            stamp to the body frame at `stamp_ns`.
        images: RGB in [0, 1]; zeros where a camera is missing.
        camera_mask: True where an image is present.
        camera_stamps_ns: Exposure time of each image, 0 where missing.
        motion_compensated: False where a static extrinsic replaced the motion between the exposures.
        valid: True where a pixel shows the surroundings: not the robot's own body, nor what the lens did not see;
            None where all pixels do. Images are zero elsewhere.
    """

    stamp_ns: int
    rig: CameraRig
    images: Float[Tensor, "cameras 3 height width"]
    camera_mask: Bool[Tensor, " cameras"]
    camera_stamps_ns: tuple[int, ...]
    motion_compensated: bool = True
    valid: Bool[Tensor, "cameras height width"] | None = None

    def to(self, device: torch.device | str) -> "MultiViewFrame":
        """Returns the frame with its tensors on a device."""
        return replace(
            self,
            rig=self.rig.to(device),
            images=self.images.to(device),
            camera_mask=self.camera_mask.to(device),
            valid=None if self.valid is None else self.valid.to(device),
        )

    def visible(self) -> "MultiViewFrame":
        """Returns the frame reduced to the cameras that are present."""
        if bool(self.camera_mask.all()):
            return self
        keep = [int(index) for index in self.camera_mask.nonzero()[:, 0]]
        return replace(
            self,
            rig=self.rig.select(keep),
            images=self.images[keep],
            camera_mask=self.camera_mask[keep],
            camera_stamps_ns=tuple(self.camera_stamps_ns[index] for index in keep),
            valid=None if self.valid is None else self.valid[keep],
        )

    def valid_at(self, height: int, width: int) -> Bool[Tensor, "cameras rows columns"] | None:
        """Returns which pixels of a (height, width) image cover valid pixels alone; None where all do."""
        if self.valid is None:
            return None
        return ~adaptive_max_pool2d((~self.valid).float(), (height, width)).bool()


@dataclass(frozen=True)
class OtherViews:
    """What the cameras of a glance see from elsewhere or at another time: targets, which the network is not shown.

    Attributes:
        name: `next` or `previous` (key-frames), or a virtual view such as `left`.
        rig: The cameras of the glance in their order, posed in its ego frame.
        images: RGB in [0, 1].
        ray_distance_m: Distance along each pixel's unit ray, +inf for sky, NaN where unknown.
        weight: Trust in each pixel, 0 to 1; 0 where it is unknown, or shows what has moved since the glance.
        camera_stamps_ns: Exposure time of each image, 0 where missing; empty where the views are no recorded images.
        features: What an image model says of the images, at the size of rays; NaN where unknown.
    """

    name: str
    rig: CameraRig
    images: Float[Tensor, "cameras 3 height width"]
    ray_distance_m: Float[Tensor, "cameras height width"]
    weight: Float[Tensor, "cameras height width"]
    camera_stamps_ns: tuple[int, ...] = ()
    features: Float[Tensor, "cameras channels rows columns"] | None = None

    def to(self, device: torch.device | str) -> "OtherViews":
        """Returns the views with their tensors on a device."""
        return replace(
            self,
            rig=self.rig.to(device),
            images=self.images.to(device),
            ray_distance_m=self.ray_distance_m.to(device),
            weight=self.weight.to(device),
            features=None if self.features is None else self.features.to(device),
        )

    def select(self, cameras: list[int]) -> "OtherViews":
        """Returns the views of some cameras."""
        return replace(
            self,
            rig=self.rig.select(cameras),
            images=self.images[cameras],
            ray_distance_m=self.ray_distance_m[cameras],
            weight=self.weight[cameras],
            camera_stamps_ns=tuple(self.camera_stamps_ns[index] for index in cameras if self.camera_stamps_ns),
            features=None if self.features is None else self.features[cameras],
        )


@dataclass(frozen=True)
class SupervisedFrame:
    """A glance with ground truth.

    Attributes:
        frame: The images and their calibration.
        ray_distance_m: Distance along each pixel's unit ray, +inf for sky, NaN where unknown.
        labels: Class of each pixel: 0..16 as in Occ3D, 17 sky, 255 unknown.
        occupancy: Class of each voxel: 0..16, 17 free, 255 unknown.
        visible: True where a camera ray passes or ends in the voxel.
        grid: Placement of the voxels in the ego frame.
        instances: Object number of each pixel, 0 for background; None where unknown.
        others: The same surroundings from other places and times.
        features: What an image model says of the images, at the size of rays; NaN where unknown.
    """

    frame: MultiViewFrame
    ray_distance_m: Float[Tensor, "cameras height width"]
    labels: UInt8[Tensor, "cameras height width"]
    occupancy: UInt8[Tensor, "x y z"]
    visible: Bool[Tensor, "x y z"]
    grid: VoxelGrid
    instances: Int[Tensor, "cameras height width"] | None = None
    others: tuple[OtherViews, ...] = ()
    features: Float[Tensor, "cameras channels rows columns"] | None = None

    def to(self, device: torch.device | str) -> "SupervisedFrame":
        """Returns the frame with its tensors on a device."""
        return replace(
            self,
            frame=self.frame.to(device),
            ray_distance_m=self.ray_distance_m.to(device),
            labels=self.labels.to(device),
            occupancy=self.occupancy.to(device),
            visible=self.visible.to(device),
            instances=None if self.instances is None else self.instances.to(device),
            others=tuple(views.to(device) for views in self.others),
            features=None if self.features is None else self.features.to(device),
        )
