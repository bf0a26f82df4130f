"""A drive through a world of a ground plane and boxes, ray-cast exactly: an oracle for teachers."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray

SECOND = 1_000_000_000
START = 5 * SECOND
CAMERA_TO_EGO = np.array([[0.0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
LIDAR_TO_EGO_M = np.array([0.0, 0.0, 1.8])


@dataclass(frozen=True)
class Block:
    """A box that moves along its own axes, which are the world's; `track` names it where it is labelled."""

    lower_m: tuple[float, float, float]
    upper_m: tuple[float, float, float]
    velocity_m_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    track: str | None = None


@dataclass(frozen=True)
class AnalyticDrive:
    """A drive along world x from the origin, with one camera that looks forward."""

    blocks: tuple[Block, ...] = ()
    ground: bool = True
    speed_m_s: float = 0.0
    seconds: float = 1.0
    rate_hz: float = 2.0
    lidar_rate_hz: float = 10.0
    height: int = 45
    width: int = 80
    focal_px: float = 60.0
    azimuth_steps: int = 720
    elevations_deg: NDArray[np.float64] = field(default_factory=lambda: np.linspace(-30.67, 10.67, 32))
    rings_known: bool = True
    name: str = "analytic"
    cameras: tuple[str, ...] = ("CAM_FRONT",)

    @property
    def images(self) -> tuple[DriveImage, ...]:
        intrinsics = np.array([[self.focal_px, 0, self.width / 2], [0, self.focal_px, self.height / 2], [0, 0, 1]])
        return tuple(
            DriveImage(
                "CAM_FRONT",
                sweep,
                stamp,
                intrinsics,
                self.ego_to_world(stamp) @ CAMERA_TO_EGO,
                self.height,
                self.width,
            )
            for sweep, stamp in enumerate(self.sweep_stamps_ns)
        )

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        count = int(self.seconds * self.rate_hz) + 1
        return tuple(START + round(index * SECOND / self.rate_hz) for index in range(count))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        return tuple(range(len(self.sweep_stamps_ns)))

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        if self.lidar_rate_hz == 0:
            return ()
        count = int(self.seconds * self.lidar_rate_hz) + 1
        return tuple(START + round(index * SECOND / self.lidar_rate_hz) for index in range(count))

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        stamps = np.array([START - SECOND, START + round((self.seconds + 1) * SECOND)], dtype=np.int64)
        return tuple(self._track(block, stamps) for block in self.blocks if block.track is not None)

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        pose = np.eye(4)
        pose[0, 3] = self.speed_m_s * (stamp_ns - START) * 1e-9
        return pose

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        return self.render(image.camera_to_world, image.intrinsics, image.height, image.width, image.stamp_ns)[0]

    def read_scan(self, index: int) -> DriveScan:
        stamp = self.scan_stamps_ns[index]
        origin = self.ego_to_world(stamp)[:3, 3] + LIDAR_TO_EGO_M
        elevation = np.deg2rad(self.elevations_deg)[:, None]
        azimuth = np.linspace(-np.pi, np.pi, self.azimuth_steps, endpoint=False)[None]
        flat = np.cos(elevation)
        rays = np.stack((flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation) + 0 * azimuth), -1)
        distance = self.cast(origin, rays.reshape(-1, 3), stamp)
        hit = distance < 100.0
        rings = np.repeat(np.arange(len(self.elevations_deg), dtype=np.int16), self.azimuth_steps)[hit]
        points = origin + rays.reshape(-1, 3)[hit] * distance[hit, None]
        return DriveScan(
            stamp,
            points,
            np.broadcast_to(origin, points.shape).copy(),
            np.full(len(points), stamp, dtype=np.int64),
            rings if self.rings_known else np.full(len(points), -1, dtype=np.int16),
        )

    def render(
        self, camera_to_world: FloatArray, intrinsics: FloatArray, height: int, width: int, stamp_ns: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Returns RGB and the distance along unit rays, +inf in the sky; the colour follows the place in the world."""
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = np.stack((u, v, np.ones_like(u)), -1) @ np.linalg.inv(intrinsics).T @ camera_to_world[:3, :3].T
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        distance = self.cast(camera_to_world[:3, 3], rays.reshape(-1, 3), stamp_ns).reshape(height, width)
        points = camera_to_world[:3, 3] + rays * np.where(np.isfinite(distance), distance, 0.0)[..., None]
        colors = 100.0 + 40.0 * np.sin(points * 0.7)
        colors[~np.isfinite(distance)] = 250.0
        return colors.round().astype(np.uint8), distance

    def cast(self, origin: FloatArray, rays: FloatArray, stamp_ns: int) -> FloatArray:
        """Returns the distance of the nearest surface along rays [n 3], +inf where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            down = -origin[2] / rays[:, 2]
            nearest = np.where((down > 0) & self.ground, down, np.inf)
            for block in self.blocks:
                moved = np.asarray(block.velocity_m_s) * (stamp_ns - START) * 1e-9
                a = (np.asarray(block.lower_m) + moved - origin) / rays
                b = (np.asarray(block.upper_m) + moved - origin) / rays
                enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
                nearest = np.where((enter < leave) & (enter > 0), np.minimum(nearest, enter), nearest)
        return np.asarray(nearest)

    @staticmethod
    def _track(block: Block, stamps: NDArray[np.int64]) -> BoxTrack:
        lower, upper = np.asarray(block.lower_m), np.asarray(block.upper_m)
        poses = np.tile(np.eye(4), (len(stamps), 1, 1))
        seconds = (stamps - START) * 1e-9
        poses[:, :3, 3] = (lower + upper) / 2 + seconds[:, None] * np.asarray(block.velocity_m_s)
        length, width, height = (float(size) for size in upper - lower)
        return BoxTrack(str(block.track), "car", (length, width, height), stamps, poses)
