"""Zero-shot semantic occupancy: mIoU, IoU and RayIoU (Occ3D-nuScenes; DistillNeRF, table 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import ego_from_world
from distillnerf_core.data.key_frames import lidar_stamp_ns
from distillnerf_core.data.lidar_depth import nearest_scan
from distillnerf_core.data.occupancy_truth import OccupancySource
from distillnerf_core.errors import DataError
from distillnerf_core.evaluation.confusion import OccupancyConfusion
from distillnerf_core.evaluation.pictures import occupancy_page
from distillnerf_core.evaluation.protocols.base import Glance, Measurement
from distillnerf_core.evaluation.ray_iou import THRESHOLDS_M, RayIouState, choose_origins
from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.model.options import LIDAR_TOP_ORIGIN_M

NAME = "occupancy"
_MASKS = {"camera_": "camera mask", "all_": "no mask"}


@dataclass
class OccupancyProtocol:
    """Labels the voxels of Occ3D's grid and compares with the truth.

    Attributes:
        glance: How frames come about.
        source: Where the truth comes from.
        rays: Whether RayIoU is computed too.
    """

    glance: Glance
    source: OccupancySource
    rays: bool = True
    _masked: OccupancyConfusion = field(default_factory=OccupancyConfusion)
    _everywhere: OccupancyConfusion = field(default_factory=OccupancyConfusion)
    _ray_counts: RayIouState = field(default_factory=RayIouState)

    @property
    def name(self) -> str:
        """Name on the command line."""
        return NAME

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured."""
        return (
            self.glance.statement,
            f"Truth: {self.source.description}.",
            *self.glance.judged.statements,
            *self._class_statement(),
            "mIoU: one confusion matrix over all samples; TP / (TP + FP + FN) of each class, the mean over the classes "
            "that prediction or truth have; over 17 classes, and over 15 without `others` and `other_flat`. IoU: "
            "occupied against free. Each over the voxels of the camera mask, and over all voxels.",
            "RayIoU (SparseOcc): 14,040 rays (39 pitches, each degree of azimuth) from up to 8 places of the "
            "LiDAR at key-frames of the drive within 39 m; for each, class of the first occupied voxel and the "
            "distance at which the ray leaves it; a hit has the true class and a distance within 1, 2 or 4 m of "
            "the true one. Rays that meet nothing in the truth do not count; no camera mask; mean over thresholds "
            "of the mean over classes.",
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        titles: dict[str, str] = {}
        for key, words in _MASKS.items():
            if self._classes_known:
                titles |= {f"{key}miou_17": f"mIoU / 17 ({words})", f"{key}miou_15": f"mIoU / 15 ({words})"}
            titles[f"{key}iou"] = f"IoU ({words})"
        if self._classes_known:
            titles |= {"ray_iou": "RayIoU / 17", "ray_iou_15": "RayIoU / 15"}
            titles |= {f"ray_iou_{limit:g}m": f"RayIoU / 17 at {limit:g} m" for limit in THRESHOLDS_M}
            titles |= {f"camera_iou_{name}": f"IoU {name} (camera mask)" for name in CLASS_NAMES}
        return titles

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep; its figures are in the totals."""
        truth = self.source.read(drive, sweep)
        stamp = self.source.stamp_ns(drive, sweep)
        frame = self.glance.frame(drive, sweep, reference_ns=stamp)
        occupancy = self.glance.judged.perceive(frame).occupancy()
        if occupancy.grid != truth.grid:
            raise DataError(f"{drive.name}: the truth is on {truth.grid}, the prediction on {occupancy.grid}")
        predicted = occupancy.labels.cpu()
        self._masked.add(predicted, truth.labels, truth.camera_mask)
        self._everywhere.add(predicted, truth.labels)
        if self.rays and self._classes_known:
            self._ray_counts.add(predicted, truth.labels, truth.grid, ray_origins(drive, sweep, stamp))
        pictures = {}
        if draw:
            pairs = [("truth", truth.labels), ("truth, camera mask", _masked(truth.labels, truth.camera_mask))]
            pairs += [("prediction", predicted), ("prediction, camera mask", _masked(predicted, truth.camera_mask))]
            pictures["occupancy"] = occupancy_page(f"{drive.name}, sweep {sweep}", truth.grid, pairs)
        return Measurement({}, pictures)

    def totals(self) -> Mapping[str, float]:
        """Returns the scores over all samples so far."""
        totals: dict[str, float] = {}
        for key, confusion in (("camera_", self._masked), ("all_", self._everywhere)):
            scores = confusion.compute()
            totals[f"{key}iou"] = scores.iou
            if self._classes_known:
                totals |= {f"{key}miou_17": scores.miou_17, f"{key}miou_15": scores.miou_15}
                ious = zip(CLASS_NAMES, scores.class_iou.tolist(), strict=True)
                totals |= {f"{key}iou_{name}": value for name, value in ious}
        if self.rays and self._classes_known:
            ray = self._ray_counts.compute()
            totals |= {"ray_iou": ray.ray_iou, "ray_iou_15": ray.ray_iou_15}
            limits = zip(THRESHOLDS_M, ray.at_threshold, strict=True)
            totals |= {f"ray_iou_{limit:g}m": value for limit, value in limits}
        return totals

    @property
    def _classes_known(self) -> bool:
        return self.glance.judged.language.class_features is not None

    def _class_statement(self) -> tuple[str, ...]:
        if self._classes_known:
            return ()
        return (
            f"Not evaluated: mIoU and RayIoU. {self.glance.judged.name} knows no classes, so that only occupied "
            "against free is compared.",
        )


def ray_origins(drive: Drive, sweep: int, stamp_ns: int) -> Float[Tensor, "origins 3"]:
    """Returns where the rays of RayIoU begin, in the ego frame at a time.

    The LiDAR is where one revolution says that it is mounted, carried along with the vehicle to all key-frames; a
    drive without LiDAR has it where nuScenes has.

    Args:
        drive: The drive.
        sweep: The judged sweep.
        stamp_ns: Time of the ego frame.
    """
    mounted = np.array((*LIDAR_TOP_ORIGIN_M, 1.0))
    if len(drive.scan_stamps_ns):
        scan = drive.read_scan(nearest_scan(drive, lidar_stamp_ns(drive, sweep)))
        if len(scan.points_m):
            last = np.append(scan.origins_m[int(np.argmax(scan.stamps_ns))], 1.0)
            mounted = ego_from_world(drive, int(scan.stamps_ns.max())) @ last
    to_ego = ego_from_world(drive, stamp_ns)
    places = [to_ego @ drive.ego_to_world(drive.sweep_stamps_ns[key]) @ mounted for key in drive.key_sweeps]
    return choose_origins(torch.from_numpy(np.stack(places)[:, :3]))


def _masked(labels: UInt8[Tensor, "x y z"], mask: Tensor) -> UInt8[Tensor, "x y z"]:
    return labels.masked_fill(~mask, FREE)
