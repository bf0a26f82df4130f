"""A drive along a painted wall under a sky, with exact images and LiDAR."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.teachers.placed_camera import PlacedCamera

WALL_M, TOP_M = 30.0, 5.0
STEP_NS = 100_000_000
SPEED_M = 2.0
"""Way to the left in each step."""
STRIPES = 0.3
"""Radians of the stripes for each metre along the wall."""
INTRINSICS = np.array([[24.0, 0.0, 20.0], [0.0, 24.0, 12.0], [0.0, 0.0, 1.0]])
HEIGHT, WIDTH = 24, 40
CAMERA_TO_EGO = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


class WallDrive:
    """A plane across the road at x = 30 m, up to a height of 5 m; the vehicle moves to the left before it."""

    name = "wall"
    cameras = ("CAM_FRONT",)
    sweep_stamps_ns = tuple(number * STEP_NS for number in range(6))
    key_sweeps = (0, 5)
    scan_stamps_ns = sweep_stamps_ns
    tracks: tuple[BoxTrack, ...] = ()

    @cached_property
    def images(self) -> tuple[DriveImage, ...]:
        return tuple(
            DriveImage("CAM_FRONT", sweep, stamp, INTRINSICS, self.ego_to_world(stamp) @ CAMERA_TO_EGO, HEIGHT, WIDTH)
            for sweep, stamp in enumerate(self.sweep_stamps_ns)
        )

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        pose = np.eye(4)
        pose[1, 3] = SPEED_M * stamp_ns / STEP_NS
        return pose

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        return self.colors(PlacedCamera.of(image, image.height, image.width))

    def sky(self, image: DriveImage) -> NDArray[np.bool_]:
        return self.hit(PlacedCamera.of(image, image.height, image.width))[..., 2] > TOP_M

    def hit(self, camera: PlacedCamera) -> FloatArray:
        rays = camera.unit_rays().astype(np.float64)
        origin = camera.camera_to_world[:3, 3]
        return np.asarray(origin + rays * ((WALL_M - origin[0]) / rays[..., :1]))

    def colors(self, camera: PlacedCamera) -> NDArray[np.uint8]:
        points = self.hit(camera)
        stripes = 0.5 + 0.4 * np.sin(STRIPES * points[..., 1])
        paint = np.stack((stripes, np.full_like(stripes, 0.5), 1.0 - stripes), axis=-1)
        sky = np.array([0.2, 0.4, 0.9])
        return np.asarray((np.where(points[..., 2:] > TOP_M, sky, paint) * 255.0).round().astype(np.uint8))

    def read_scan(self, index: int) -> DriveScan:
        random = np.random.default_rng(index)
        stamp = self.scan_stamps_ns[index]
        origin = self.ego_to_world(stamp)[:3, 3]
        count = 600
        points = np.column_stack(
            (
                np.full(count, WALL_M),
                origin[1] + random.uniform(-26.0, 26.0, count),
                random.uniform(-15.0, TOP_M, count),
            )
        )
        return DriveScan(
            stamp, points, np.tile(origin, (count, 1)), np.full(count, stamp), np.zeros(count, dtype=np.int16)
        )
