"""A small drive with analytic contents, for what real sources do: late cameras, lost images, other LiDARs."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan
from distillnerf_core.geometry.transforms import rigid_from_quaternion

START_NS = 1_600_000_000_000_000_000
MS = 1_000_000
FloatArray = NDArray[np.float64]
LIDAR_PLACE = (1.0, 0.2, 1.9)
FORWARD = np.array([[0.0, 0, 1, 1.5], [-1, 0, 0, 0.1], [0, -1, 0, 1.4], [0, 0, 0, 1]])
BACKWARD = np.array([[0.0, 0, -1, -0.5], [1, 0, 0, 0.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])


def ego(stamp_ns: int) -> FloatArray:
    """Drives at 10 m/s while it turns left by 0.2 rad/s, on a slight slope."""
    seconds = (stamp_ns - START_NS) * 1e-9
    half = 0.1 * seconds
    return rigid_from_quaternion(
        np.array([500 + 10 * seconds, -40.0, 3.0 + 0.1 * seconds]), np.array([0.01, 0, np.sin(half), np.cos(half)])
    )


def box(label: str, name: str, place: tuple[float, float, float], speed_m_s: float, seconds: float) -> BoxTrack:
    """An object that drives along the world's y."""
    stamps = np.arange(0, round(seconds * 1000) + 1, 100) * MS + START_NS
    poses = np.tile(rigid_from_quaternion(np.zeros(3), np.array([0, 0, np.sin(0.7), np.cos(0.7)])), (len(stamps), 1, 1))
    poses[:, :3, 3] = place
    poses[:, 1, 3] += speed_m_s * (stamps - START_NS) * 1e-9
    return BoxTrack(name, label, (4.0, 1.8, 1.5), stamps, poses)


@dataclass
class MovingDrive:
    """Two cameras at 10 Hz with key sweeps at 2 Hz, and at 20 Hz a LiDAR of four beams that meet the ground."""

    sweeps: int = 11
    name: str = "moving"
    lost: tuple[tuple[str, int], ...] = ()
    lidar: bool = True
    rings: bool = True
    tracks: tuple[BoxTrack, ...] = ()
    shift_m: float = 0.0
    cameras: tuple[str, ...] = field(default=("CAM_FRONT", "rear cam"))

    @property
    def images(self) -> tuple[DriveImage, ...]:
        """The rear camera is 30 ms late."""
        return tuple(
            self._image(camera, sweep)
            for sweep in range(self.sweeps)
            for camera in self.cameras
            if (camera, sweep) not in self.lost
        )

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Times of the front camera."""
        return tuple(START_NS + sweep * 100 * MS for sweep in range(self.sweeps))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """Each fifth."""
        return tuple(range(0, self.sweeps, 5))

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """Revolutions end 40 ms after the front camera."""
        count = 2 * self.sweeps if self.lidar else 0
        return tuple(START_NS + (40 + 50 * scan) * MS for scan in range(count))

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose of the vehicle."""
        return ego(stamp_ns)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Each camera and sweep has a colour."""
        value = 20 * image.sweep + 10 * self.cameras.index(image.camera)
        return np.full((image.height, image.width, 3), (value, 100, 50), dtype=np.uint8)

    def read_scan(self, index: int) -> DriveScan:
        """Beams fall on the plane z = 0 of the vehicle's surroundings."""
        end_ns = self.scan_stamps_ns[index]
        points, origins, stamps = [], [], []
        for column in range(90):
            stamp = end_ns - round(50 * MS * (1 - column / 89))
            pose = ego(stamp)
            origin = pose[:3, :3] @ np.array(LIDAR_PLACE) + pose[:3, 3]
            azimuth = 1.5 - 2 * np.pi * column / 89
            for reach in (4.0, 8.0, 16.0, 32.0):
                ahead, left = reach * np.cos(azimuth), reach * np.sin(azimuth)
                place = np.array([LIDAR_PLACE[0] + ahead, LIDAR_PLACE[1] + left, 0.0])
                points.append(pose[:3, :3] @ place + pose[:3, 3])
                origins.append(origin)
                stamps.append(stamp)
        kept = np.arange(360) % 7 > 0
        rings = np.tile(np.arange(4), 90) if self.rings else np.full(360, -1)
        times = np.array(stamps, dtype=np.int64)
        return DriveScan(
            end_ns, np.stack(points)[kept], np.stack(origins)[kept], times[kept], rings[kept].astype(np.int16)
        )

    def _image(self, camera: str, sweep: int) -> DriveImage:
        rear = camera != "CAM_FRONT"
        stamp = START_NS + (100 * sweep + 30 * rear) * MS
        mount = (BACKWARD if rear else FORWARD).copy()
        mount[2, 3] += self.shift_m * sweep
        matrix = np.array([[40.0, 0, 32.5], [0, 41.0, 17.5], [0, 0, 1]])
        return DriveImage(camera, sweep, stamp, matrix, ego(stamp) @ mount, 36, 64)
