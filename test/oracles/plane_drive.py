"""A drive over an endless coloured plane, whose images, depths and voxels have closed forms; and who knows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.label_set import OCC3D_LABELS
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.perception.results import OccupiedVoxels, SemanticOccupancy

HEIGHT, WIDTH = 32, 64
ROAD = CLASS_NAMES.index("driveable_surface")
ROAD_LAYER = 2
"""Voxels from -0.2 to 0.2 m, which the plane passes."""
START_NS, STEP_NS = 1_000_000_000, 250_000_000
_WALL_M = 60.0
"""Rays that do not meet the plane closer than this end here."""


def plane_occupancy() -> Tensor:
    labels = torch.full(OCC3D_GRID.size, FREE, dtype=torch.uint8)
    labels[:, :, ROAD_LAYER] = ROAD
    return labels


def see(camera_to_world: Tensor, rig: CameraRig) -> tuple[Tensor, Tensor]:
    """Returns colour [3 height width] and ray distance [height width] of one camera."""
    rays = camera_rays(CameraRig(("c",), rig.intrinsics, camera_to_world[None], rig.height, rig.width))
    origin, direction = rays.origins_m[0], rays.directions[0]
    down = (-direction[..., 2]).clamp_min(1e-9)
    distance = (origin[..., 2] / down).clamp_max(_WALL_M)
    point = origin + distance[..., None] * direction
    waves = torch.stack([(point * k).sum(dim=-1) for k in torch.tensor([[0.2, 0, 0], [0, 0.2, 0], [0.1, 0.1, 0.0]])])
    return 0.5 + 0.4 * torch.sin(waves), distance


@dataclass(frozen=True)
class PlaneDrive:
    """Two cameras that look forward and to the left, 30 ms apart; 8 m/s along a bend; a LiDAR that sees pixel centres.

    Every second sweep is a key-frame.
    """

    sweeps: int = 7
    missing: tuple[tuple[int, str], ...] = ()
    lidar: bool = True

    @property
    def name(self) -> str:
        return "scene-plane"

    @property
    def cameras(self) -> tuple[str, ...]:
        return ("front", "left")

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        return tuple(START_NS + sweep * STEP_NS for sweep in range(self.sweeps))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        return tuple(range(0, self.sweeps, 2))

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        return tuple(stamp + 10_000_000 for stamp in self.sweep_stamps_ns) if self.lidar else ()

    @property
    def tracks(self) -> tuple[BoxTrack, ...]:
        return ()

    def sample_token(self, sweep: int) -> str:
        return f"token{sweep}"

    def sample_stamp_ns(self, sweep: int) -> int:
        return (self.scan_stamps_ns if self.lidar else self.sweep_stamps_ns)[sweep]

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        seconds = (stamp_ns - START_NS) * 1e-9
        yaw = 0.1 * seconds
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        pose[:2, 3] = 8.0 * seconds, 0.4 * seconds**2
        return pose

    @cached_property
    def images(self) -> tuple[DriveImage, ...]:
        intrinsics = np.array([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]])
        forward = np.array([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]]
        found = []
        for sweep, start in enumerate(self.sweep_stamps_ns):
            for index, (name, mount) in enumerate(zip(self.cameras, (forward, turn @ forward), strict=True)):
                stamp = start - 30_000_000 * index
                pose = self.ego_to_world(stamp) @ mount
                if (sweep, name) not in self.missing:
                    found.append(DriveImage(name, sweep, stamp, intrinsics, pose, HEIGHT, WIDTH))
        return tuple(found)

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        colors, _ = see(*self._camera(image, 1))
        return np.asarray((255.0 * colors).round().byte().permute(1, 2, 0).numpy())

    def read_scan(self, index: int) -> DriveScan:
        parts = []
        for image in self.images:
            if image.sweep == index:
                pose, rig = self._camera(image, 2)
                _, distance = see(pose, rig)
                rays = camera_rays(CameraRig(("c",), rig.intrinsics, pose[None], rig.height, rig.width))
                points = rays.origins_m[0] + distance[..., None] * rays.directions[0]
                parts.append(points[distance < _WALL_M])
        stamp, points_m = self.scan_stamps_ns[index], torch.cat(parts).double().numpy()
        origin = (self.ego_to_world(stamp) @ (1.0, 0.0, 1.8, 1.0))[:3]
        count = len(points_m)
        stamps = np.full(count, stamp, dtype=np.int64)
        rings = np.full(count, -1, dtype=np.int16)
        return DriveScan(stamp, points_m, np.repeat(origin[None], count, axis=0), stamps, rings)

    def _camera(self, image: DriveImage, shrink: int) -> tuple[Tensor, CameraRig]:
        pose = torch.from_numpy(image.camera_to_world)
        rig = CameraRig(("c",), torch.from_numpy(image.intrinsics)[None], pose[None], image.height, image.width)
        return pose, rig.resized(HEIGHT // shrink, WIDTH // shrink)


class KnownTexts(NoTexts):
    """Has features of classes: one-hot vectors of eighteen channels."""

    @property
    def class_features(self) -> Tensor:  # type: ignore[override]
        return torch.eye(18)


@dataclass(frozen=True)
class Omniscient:
    """Perceives the plane drive as it is, but for errors of choice.

    Attributes:
        brighter: Added to colours.
        farther: Factor of distances.
        lifted: Voxels by which the road is too high.
        color: Whether it renders colour.
        feature_error: Added to every channel of features.
    """

    drive: PlaneDrive
    brighter: float = 0.0
    farther: float = 1.0
    lifted: int = 0
    color: bool = True
    feature_error: float = 0.0

    @property
    def name(self) -> str:
        return "omniscient"

    @property
    def input_size(self) -> tuple[int, int]:
        return HEIGHT, WIDTH

    @property
    def language(self) -> KnownTexts:
        return KnownTexts("knows no words")

    @property
    def statements(self) -> tuple[str, ...]:
        return ("Predicted occupancy: the truth.", "Predicted class: the truth.")

    def perceive(self, frame: MultiViewFrame) -> "PlaneScene":
        return PlaneScene(self, torch.from_numpy(self.drive.ego_to_world(frame.stamp_ns)))


@dataclass(frozen=True)
class PlaneScene:
    judged: Omniscient
    ego_to_world: Tensor

    def render(self, cameras: CameraRig, color: bool = False, language: bool = False) -> RenderedViews:
        colors = [see(*self._placed(cameras, index, 2))[0] for index in range(len(cameras))]
        distance = torch.stack([see(*self._placed(cameras, index, 1))[1] for index in range(len(cameras))]).float()
        distance = distance * self.judged.farther
        rgb = torch.stack(colors).float() + self.judged.brighter if color and self.judged.color else None
        features = torch.zeros(len(cameras), 18, *distance.shape[1:])
        features[:, ROAD] = 1.0
        features = features + self.judged.feature_error
        return RenderedViews(rgb, distance, distance, torch.ones_like(distance), features if language else None)

    def _placed(self, cameras: CameraRig, index: int, grow: int) -> tuple[Tensor, CameraRig]:
        rig = cameras.select([index]).resized(cameras.height * grow, cameras.width * grow)
        pose = self.ego_to_world @ rig.camera_to_ego[0].double()
        return pose, CameraRig(rig.names, rig.intrinsics.double(), pose[None], rig.height, rig.width)

    def occupancy(self) -> SemanticOccupancy:
        labels = plane_occupancy().roll(self.judged.lifted, dims=2)
        index = (labels < FREE).nonzero()
        features = normalize(torch.ones(len(index), 18), dim=1)
        density = (labels < FREE).float()
        return SemanticOccupancy(OCC3D_GRID, labels, density, density, OccupiedVoxels(index, features), OCC3D_LABELS)

    def scores(self, texts: Sequence[str]) -> Float[Tensor, "texts x y z"]:
        road = (plane_occupancy() == ROAD).float()
        return torch.stack([road if "road" in text else torch.zeros_like(road) for text in texts])
