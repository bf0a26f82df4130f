"""All pixels and LiDAR returns of a drive, from which training rays are drawn (section 2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.errors import DataError
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.placed_camera import PlacedCamera

SkyMasks = Callable[[DriveImage], NDArray[np.bool_]]
"""Tells which pixels [height width] of an image are sky."""


@dataclass(frozen=True)
class FieldFrame:
    """The frame and the clock of a field: the place and the heading of the vehicle at the first sweep, z up.

    Attributes:
        field_from_world: Rigid transform [4 4], metres.
        start_ns: Time zero.
        duration_s: Length of the drive.
    """

    field_from_world: NDArray[np.float64]
    start_ns: int
    duration_s: float

    @classmethod
    def of(cls, drive: Drive) -> "FieldFrame":
        """Returns the frame of a drive.

        Raises:
            DataError: If the drive has no images.
        """
        if not drive.images:
            raise DataError(f"drive {drive.name} has no images; a field cannot be fitted to it")
        stamps = [*(image.stamp_ns for image in drive.images), *drive.scan_stamps_ns]
        start, end = min(stamps), max(stamps)
        pose = drive.ego_to_world(drive.sweep_stamps_ns[0])
        # A vehicle on a slope would tilt the upright boxes: only its heading is taken.
        heading = np.arctan2(pose[1, 0], pose[0, 0])
        turned = np.eye(4)
        turned[:2, :2] = [[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]]
        turned[:3, 3] = -turned[:3, :3] @ pose[:3, 3]
        return cls(turned, start, (end - start) * 1e-9)

    def points(self, points_m: NDArray[np.float64]) -> NDArray[np.float32]:
        """Moves points [n 3] of the world into the frame."""
        moved = points_m @ self.field_from_world[:3, :3].T + self.field_from_world[:3, 3]
        return np.asarray(moved, dtype=np.float32)

    def seconds(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns times on the field's clock."""
        return np.asarray((stamps_ns - self.start_ns) * 1e-9, dtype=np.float32)

    def camera_rays(self, camera: PlacedCamera, stamp_ns: int, appearance: int) -> FieldRays:
        """Returns the rays through all pixel centres of a camera, row by row."""
        directions = camera.unit_rays().reshape(-1, 3) @ self.field_from_world[:3, :3].T.astype(np.float32)
        origin = self.points(camera.camera_to_world[None, :3, 3])
        count = len(directions)
        return FieldRays(
            torch.from_numpy(np.repeat(origin, count, axis=0)),
            torch.from_numpy(np.ascontiguousarray(directions)),
            torch.full((count,), float(self.seconds(np.array([stamp_ns]))[0])),
            torch.full((count,), appearance),
        )


@dataclass(frozen=True)
class PixelBatch:
    """Pixels to learn from.

    Attributes:
        rays: Through their centres.
        colors: RGB in [0, 1].
        sky: Where they are sky; None without masks.
    """

    rays: FieldRays
    colors: Float[Tensor, "rays 3"]
    sky: Bool[Tensor, " rays"] | None

    def to(self, device: torch.device | str) -> "PixelBatch":
        """Returns the batch on a device."""
        sky = None if self.sky is None else self.sky.to(device)
        return PixelBatch(self.rays.to(device), self.colors.to(device), sky)


@dataclass(frozen=True)
class DrivePixels:
    """All pixels of the training images.

    Attributes:
        colors: RGB.
        sky: Where they are sky; None without masks.
        rows: Rows of each image that do not show the own vehicle.
        pixel_to_field: Takes (u, v, 1) to a direction in the field's frame, for each image.
        origins_m: Place of each camera.
        times_s: Time of each image.
    """

    colors: UInt8[Tensor, "images height width 3"]
    sky: Bool[Tensor, "images height width"] | None
    rows: Int64[Tensor, " images"]
    pixel_to_field: Float[Tensor, "images 3 3"]
    origins_m: Float[Tensor, "images 3"]
    times_s: Float[Tensor, " images"]

    def draw(self, count: int, generator: torch.Generator) -> PixelBatch:
        """Draws pixels, each equally likely."""
        images, height, width, _ = self.colors.shape
        shares = torch.rand(2, count, generator=generator)
        image = torch.randint(images, (count,), generator=generator)
        row = (shares[0] * self.rows[image]).long().clamp_max(height - 1)
        column = (shares[1] * width).long().clamp_max(width - 1)
        pixel = torch.stack((column + 0.5, row + 0.5, torch.ones(count)), dim=1)
        directions = torch.einsum("rij,rj->ri", self.pixel_to_field[image], pixel)
        rays = FieldRays(
            self.origins_m[image], torch.nn.functional.normalize(directions, dim=1), self.times_s[image], image
        )
        sky = None if self.sky is None else self.sky[image, row, column]
        return PixelBatch(rays, self.colors[image, row, column].float() / 255.0, sky)


@dataclass(frozen=True)
class DriveReturns:
    """All LiDAR returns that are learned from; each has its own origin and time.

    Attributes:
        points_m: Where they came from.
        origins_m: Where the sensor was.
        times_s: When.
    """

    points_m: Float[Tensor, "returns 3"]
    origins_m: Float[Tensor, "returns 3"]
    times_s: Float[Tensor, " returns"]

    def draw(self, count: int, generator: torch.Generator) -> tuple[FieldRays, Float[Tensor, " rays"]]:
        """Draws rays and their ranges, metres, with replacement."""
        chosen = torch.randint(len(self.points_m), (count,), generator=generator)
        offset = self.points_m[chosen] - self.origins_m[chosen]
        ranges: Tensor = torch.linalg.vector_norm(offset, dim=1)
        images = torch.full((count,), -1)
        return FieldRays(self.origins_m[chosen], offset / ranges[:, None], self.times_s[chosen], images), ranges


def read_pixels(
    drive: Drive,
    images: Sequence[DriveImage],
    frame: FieldFrame,
    size: tuple[int, int],
    sky_masks: SkyMasks | None,
    own_vehicle: Mapping[str, float],
) -> DrivePixels:
    """Reads images, resized to (height, width).

    Args:
        drive: The drive.
        images: Images to learn from; their positions are the rows of the appearance table.
        frame: Of the field.
        size: Height and width.
        sky_masks: Gives the sky of an image; None: unknown.
        own_vehicle: Share of the rows at the bottom, by camera, that show the own vehicle.
    """
    height, width = size
    cameras = [PlacedCamera.of(image, height, width) for image in images]
    colors = np.stack([resize_pixels(drive.read_image(image), size) for image in images])
    sky = None if sky_masks is None else np.stack([resize_mask(sky_masks(image), size) for image in images])
    rotation = frame.field_from_world[:3, :3]
    to_field = [rotation @ camera.camera_to_world[:3, :3] @ np.linalg.inv(camera.intrinsics) for camera in cameras]
    rows = [max(1, round(height * (1.0 - own_vehicle.get(image.camera, 0.0)))) for image in images]
    return DrivePixels(
        colors=torch.from_numpy(colors),
        sky=None if sky is None else torch.from_numpy(sky),
        rows=torch.tensor(rows),
        pixel_to_field=torch.from_numpy(np.stack(to_field)).float(),
        origins_m=torch.from_numpy(frame.points(np.stack([image.camera_to_world[:3, 3] for image in images]))),
        times_s=torch.from_numpy(frame.seconds(np.array([image.stamp_ns for image in images]))),
    )


def read_returns(
    drive: Drive, scans: Sequence[int], frame: FieldFrame, nearest_m: float, farthest_m: float
) -> DriveReturns | None:
    """Reads LiDAR revolutions, cut by range from the sensor (section 10, item 4); None if nothing is left."""
    points, origins, times = [], [], []
    for index in scans:
        scan = drive.read_scan(index)
        ranges = np.linalg.norm(scan.points_m - scan.origins_m, axis=1)
        keep = (ranges > nearest_m) & (ranges < farthest_m)
        points.append(frame.points(scan.points_m[keep]))
        origins.append(frame.points(scan.origins_m[keep]))
        times.append(frame.seconds(scan.stamps_ns[keep]))
    if not sum(len(part) for part in points):
        return None
    joined = (torch.from_numpy(np.concatenate(parts)) for parts in (points, origins, times))
    return DriveReturns(*joined)


def resize_pixels(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes an image to (height, width)."""
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA))


def resize_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resizes a mask to (height, width)."""
    resized = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized > 0)
