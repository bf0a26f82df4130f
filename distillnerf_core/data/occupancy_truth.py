"""True semantic occupancy of a sweep: Occ3D-nuScenes files, and simulated streets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import ego_from_world, sweep_images, sweep_rig, sweep_stamp_ns
from distillnerf_core.data.key_frames import TokenDrive
from distillnerf_core.data.occ3d import read_occ3d_labels
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.data.simulated_drive import SimulatedDrive
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.simulation.occupancy import voxelise
from distillnerf_core.simulation.visibility import visible_voxels

LABELS_FILE = "labels.npz"


@dataclass(frozen=True)
class OccupancyTruth:
    """What occupies space around the vehicle.

    Attributes:
        labels: Class of each voxel: 0..16, 17 free, 255 unknown.
        camera_mask: True where a camera sees the voxel.
        grid: Placement in the ego frame at the time that the source says.
    """

    labels: UInt8[Tensor, "x y z"]
    camera_mask: Bool[Tensor, "x y z"]
    grid: VoxelGrid


@runtime_checkable
class OccupancySource(Protocol):
    """Where true occupancy comes from."""

    @property
    def description(self) -> str:
        """What the truth and its camera mask are, for a report."""

    def stamp_ns(self, drive: Drive, sweep: int) -> int:
        """Returns the time whose ego frame the truth of a sweep is in."""

    def read(self, drive: Drive, sweep: int) -> OccupancyTruth:
        """Returns the truth of a sweep.

        Raises:
            DataError: If there is none, saying what is expected where.
        """


@dataclass(frozen=True)
class Occ3dFolder:
    """The folder `gts` of Occ3D-nuScenes.

    Attributes:
        folder: Folder with SCENE/SAMPLE_TOKEN/labels.npz.
    """

    folder: Path

    @property
    def description(self) -> str:
        """What the truth is."""
        return (
            "Occ3D-nuScenes labels (semantics, mask_camera) on 200 x 200 x 16 voxels of 0.4 m over [-40, -40, -1, 40, "
            "40, 5.4] m, in the ego frame at the time of the key-frame's LiDAR revolution"
        )

    def stamp_ns(self, drive: Drive, sweep: int) -> int:
        """Returns the time of the sample, which is that of its LiDAR revolution.

        Raises:
            DataError: If the drive's frames have no tokens.
        """
        return _with_tokens(drive).sample_stamp_ns(sweep)

    def read(self, drive: Drive, sweep: int) -> OccupancyTruth:
        """Reads the labels of a key-frame.

        Raises:
            DataError: If the drive's frames have no tokens, or the file is missing or damaged.
        """
        return read_occ3d(self.folder / drive.name / _with_tokens(drive).sample_token(sweep) / LABELS_FILE)


def _with_tokens(drive: Drive) -> TokenDrive:
    if not isinstance(drive, TokenDrive):
        raise DataError(f"{drive.name}: Occ3D labels belong to the sample tokens of nuScenes, which this drive lacks")
    return drive


def read_occ3d(path: Path) -> OccupancyTruth:
    """Reads a labels.npz of Occ3D-nuScenes.

    Raises:
        DataError: If it is missing or damaged.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is missing; expected the folder `gts` of Occ3D-nuScenes: gts/SCENE/SAMPLE_TOKEN/{LABELS_FILE}"
        )
    try:
        found = read_occ3d_labels(path)
    except DataError as err:
        raise DataError(f"damaged Occ3D labels: {err}; unpack them again") from err
    return OccupancyTruth(torch.from_numpy(found.semantics), torch.from_numpy(found.camera_mask), OCC3D_GRID)


@dataclass(frozen=True)
class SimulatedOccupancy:
    """The exact truth of simulated streets."""

    @property
    def description(self) -> str:
        """What the truth is."""
        return (
            "exact occupancy of the simulated street, solids being full inside, on Occ3D's grid in the ego frame at "
            "the sweep's reference time; the camera mask has the voxels in front of, or at, the first surface along "
            "a ray of the drive's images"
        )

    def stamp_ns(self, drive: Drive, sweep: int) -> int:
        """Returns the reference time of the sweep."""
        return sweep_stamp_ns(drive, sweep)

    def read(self, drive: Drive, sweep: int) -> OccupancyTruth:
        """Voxelises the street.

        Raises:
            DataError: If the drive is not simulated.
        """
        if not isinstance(drive, SimulatedDrive):
            raise DataError(f"{drive.name} is no simulated street: its true occupancy is not known")
        stamp = self.stamp_ns(drive, sweep)
        seconds = (stamp - START_NS) * 1e-9
        pose = torch.from_numpy(np.linalg.inv(ego_from_world(drive, stamp)))
        labels = voxelise(drive.scene.primitives.at_time(seconds), pose, OCC3D_GRID).cpu()
        images = [image for image in sweep_images(drive, sweep) if image is not None]
        present = [index for index, image in enumerate(sweep_images(drive, sweep)) if image is not None]
        rig = sweep_rig(drive, sweep, images[0].height, images[0].width).select(present)
        distance = torch.from_numpy(np.stack([drive.true_ray_distance(image) for image in images]))
        return OccupancyTruth(labels, visible_voxels(rig, distance, OCC3D_GRID), OCC3D_GRID)
