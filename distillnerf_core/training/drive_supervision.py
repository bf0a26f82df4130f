"""What a drive teaches about one of its key sweeps: targets from its LiDAR, labelled boxes, and a per-scene teacher."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import drive_frame, ego_from_world, sweep_images, sweep_stamp_ns
from distillnerf_core.data.lidar_depth import nearest_scan, sweep_lidar_depth
from distillnerf_core.data.moving_pixels import moving_pixels
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.data.simulated_drive import SimulatedDrive
from distillnerf_core.errors import DataError
from distillnerf_core.frames import MultiViewFrame, OtherViews, SupervisedFrame
from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.teachers.layout import ORIGINAL
from distillnerf_core.teachers.targets import TaughtDrive, TaughtTargets
from distillnerf_core.training.recorded_supervision import label_points, project_points, voxel_labels

_NEIGHBOURS = {"next": 1, "previous": -1}
_POINT_RANGE_M = 60.0


class SupervisionConfig(Config):
    """What of a drive becomes a target.

    Attributes:
        lidar: Depth of pixels from the LiDAR, and free and occupied voxels from its rays.
        confidence: Least confidence of a teacher's distance that is learnt.
        neighbours: Whether the key-frames before and after are targets, what moves left out.
        virtual: Whether a teacher's virtual views are targets.
        true_labels: Take the classes of pixels, and of the places that a teacher sees in them, from the simulation in
            place of labelled boxes.
    """

    lidar: bool = True
    confidence: float = 0.3
    neighbours: bool = True
    virtual: bool = True
    true_labels: bool = False


class DriveSupervisor:
    """Makes frames with targets of the key sweeps of a drive. All distances are along unit rays.

    Args:
        drive: The drive.
        taught: What a teacher says about it; None: only what the LiDAR measured.
        config: What becomes a target.

    Raises:
        DataError: If nothing would teach depth, the teacher taught another drive, or true labels are asked of a drive
            that is not simulated.
    """

    def __init__(self, drive: Drive, taught: TaughtDrive | None, config: SupervisionConfig) -> None:
        if taught is not None and taught.index.drive != drive.name:
            raise DataError(f"{taught.folder} holds views of {taught.index.drive}, not of {drive.name}")
        if taught is None and not (config.lidar and len(drive.scan_stamps_ns)):
            raise DataError(
                f"{drive.name}: without LiDAR there is nothing to learn depth from; "
                "name a folder that `distillnerf teach` wrote, or use a drive with LiDAR"
            )
        if config.true_labels and not isinstance(drive, SimulatedDrive):
            raise DataError(f"{drive.name}: only simulated drives know the class of every pixel")
        self.drive, self._taught, self._config = drive, taught, config

    def supervise(self, sweep: int, height: int, width: int, grid: VoxelGrid = OCC3D_GRID) -> SupervisedFrame:
        """Returns a sweep at the network's size with all that is known of it; cameras that it lacks are left out.

        Args:
            sweep: Key sweep.
            height: Rows of images and targets.
            width: Columns.
            grid: Voxels to label, in the ego frame at the time of the sweep.

        Raises:
            DataError: If there is no such sweep, or a file is missing or damaged.
        """
        whole = drive_frame(self.drive, sweep, height, width)
        present = [int(index) for index in whole.camera_mask.nonzero()[:, 0]]
        frame = whole.visible()
        taught = self._teacher(sweep, frame, ORIGINAL)
        points, origins = self._lidar_points(sweep, frame.stamp_ns)
        boxes = boxes_at(self.drive, frame.stamp_ns)
        labels = label_points(points, boxes)
        distance, pixel_labels = project_points(points, labels, frame.rig)
        if self._config.true_labels:
            pixel_labels = self._true_labels(sweep, frame)
        if taught is not None:
            known = self._distance(taught)
            distance = _merge(known, distance)
            more, more_origins, near = _teacher_points(frame, known)
            more_labels = pixel_labels[near] if self._config.true_labels else label_points(more, boxes)
            points, origins = torch.cat((points, more)), torch.cat((origins, more_origins))
            labels = torch.cat((labels, more_labels))
        occupancy = voxel_labels(points, labels, origins, grid)
        return SupervisedFrame(
            frame,
            distance,
            pixel_labels,
            occupancy,
            occupancy != UNKNOWN,
            grid,
            others=self._others(sweep, frame, present),
        )

    def _teacher(self, sweep: int, frame: MultiViewFrame, view: str) -> TaughtTargets | None:
        if self._taught is None:
            return None
        return self._taught.targets(sweep, frame.rig.names, view, (frame.rig.height, frame.rig.width))

    def _distance(self, taught: TaughtTargets) -> Float[Tensor, "cameras height width"]:
        trusted = taught.seen & (taught.confidence >= self._config.confidence)
        distance = torch.where(taught.sky, torch.inf, taught.ray_distance_m)
        return torch.where(trusted, distance, torch.nan)

    def _lidar_points(self, sweep: int, stamp_ns: int) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
        """Returns points and origins of the revolution nearest in time, in the ego frame at a time."""
        if not (self._config.lidar and len(self.drive.scan_stamps_ns)):
            return torch.zeros(0, 3), torch.zeros(0, 3)
        scan = self.drive.read_scan(nearest_scan(self.drive, sweep_stamp_ns(self.drive, sweep)))
        to_ego = ego_from_world(self.drive, stamp_ns)
        moved = (points @ to_ego[:3, :3].T + to_ego[:3, 3] for points in (scan.points_m, scan.origins_m))
        points, origins = (torch.from_numpy(places).float() for places in moved)
        return points, origins

    def _true_labels(self, sweep: int, frame: MultiViewFrame) -> UInt8[Tensor, "cameras height width"]:
        assert isinstance(self.drive, SimulatedDrive)
        views = []
        for image in sweep_images(self.drive, sweep):
            if image is not None:
                scale = np.diag((frame.rig.width / image.width, frame.rig.height / image.height, 1.0))
                size = (frame.rig.height, frame.rig.width)
                truth = self.drive.render_view(image.camera_to_world, scale @ image.intrinsics, *size, image.stamp_ns)
                views.append(torch.from_numpy(truth.labels))
        return torch.stack(views)

    def _others(self, sweep: int, frame: MultiViewFrame, present: list[int]) -> tuple[OtherViews, ...]:
        views = []
        if self._config.neighbours:
            keys = self.drive.key_sweeps
            for name, step in _NEIGHBOURS.items():
                place = keys.index(sweep) + step
                if 0 <= place < len(keys):
                    views.append(self._neighbour(name, keys[place], frame).select(present))
        if self._config.virtual and self._taught is not None:
            views += [self._virtual(name, sweep, frame) for name in self._taught.index.offsets_m]
        return tuple(views)

    def _neighbour(self, name: str, sweep: int, frame: MultiViewFrame) -> OtherViews:
        """Returns all cameras of another key sweep, posed in the ego frame of this one."""
        height, width = frame.rig.height, frame.rig.width
        other = drive_frame(self.drive, sweep, height, width, reference_ns=frame.stamp_ns)
        weight = other.camera_mask[:, None, None].float().expand(-1, height, width).clone()
        for camera, image in enumerate(sweep_images(self.drive, sweep)):
            if image is not None:
                weight[camera][torch.from_numpy(moving_pixels(self.drive, image, height, width))] = 0.0
        distance = torch.full_like(weight, torch.nan)
        if self._config.lidar and len(self.drive.scan_stamps_ns):
            distance = sweep_lidar_depth(self.drive, sweep, height, width).ray_distance_m
        if self._taught is not None:
            seen = other.visible()
            taught = self._teacher(sweep, seen, ORIGINAL)
            assert taught is not None
            distance[other.camera_mask] = _merge(self._distance(taught), distance[other.camera_mask])
        return OtherViews(name, other.rig, other.images, distance, weight, other.camera_stamps_ns)

    def _virtual(self, name: str, sweep: int, frame: MultiViewFrame) -> OtherViews:
        """Returns a teacher's view from a place beside each camera (DistillNeRF, appendix A.5)."""
        taught = self._teacher(sweep, frame, name)
        assert taught is not None and self._taught is not None
        poses = frame.rig.camera_to_ego.clone()
        poses[:, :3, 3] += poses[:, :3, :3] @ poses.new_tensor(self._taught.index.offsets_m[name])
        weight = torch.where(taught.seen, taught.confidence, 0.0)
        return OtherViews(name, replace(frame.rig, camera_to_ego=poses), taught.images, self._distance(taught), weight)


def boxes_at(drive: Drive, stamp_ns: int) -> list[LabelledBox]:
    """Returns the labelled objects at a time, upright in the ego frame at that time."""
    to_ego, boxes = ego_from_world(drive, stamp_ns), []
    for track in drive.tracks:
        pose = track.pose(stamp_ns)
        if pose is not None:
            local = to_ego @ pose
            x, y, z = (float(value) for value in local[:3, 3])
            yaw = float(np.arctan2(local[1, 0], local[0, 0]))
            boxes.append(LabelledBox(track.label, (x, y, z), track.size_lwh_m, yaw))
    return boxes


def _merge(first: Float[Tensor, "*shape"], second: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Takes the second where the first is unknown."""
    return torch.where(first.isnan(), second, first)


def _teacher_points(
    frame: MultiViewFrame, distance_m: Float[Tensor, "cameras height width"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"], Bool[Tensor, "cameras height width"]]:
    """Returns the places that distances lead to, those of the cameras, and which pixels they are; nothing far away."""
    rays = camera_rays(frame.rig)
    near = distance_m < _POINT_RANGE_M
    origins = rays.origins_m.expand_as(rays.directions)[near]
    return origins + distance_m[near][:, None] * rays.directions[near], origins, near
