"""Labels of Occ3D-nuScenes: gts/<scene>/<sample token>/labels.npz."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray

from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.language.classes import FREE

_FIELDS = ("semantics", "mask_lidar", "mask_camera")
_LARGEST_FIELD = 16 * 200 * 200 * 16


@dataclass(frozen=True)
class Occ3dLabels:
    """Semantic occupancy around the vehicle, on `OCC3D_GRID` in the ego frame at the sample's time.

    Attributes:
        semantics: Class of each voxel: 0..16, 17 for free.
        lidar_mask: Whether a ray of the LiDAR passes or ends in the voxel, accumulated over the scene.
        camera_mask: Whether a camera of the sample sees the voxel.
    """

    semantics: UInt8[np.ndarray, "x y z"]
    lidar_mask: Bool[np.ndarray, "x y z"]
    camera_mask: Bool[np.ndarray, "x y z"]


def occ3d_path(root: Path, scene: str, sample_token: str) -> Path:
    """Returns where the labels of a sample are.

    Args:
        root: Folder that holds gts/.
        scene: Name of the scene.
        sample_token: From `NuScenesDrive.sample_token`.

    Raises:
        DataError: If a name leads out of the folder.
    """
    try:
        return file_inside(root, f"gts/{scene}/{sample_token}/labels.npz")
    except ValueError as err:
        raise DataError(f"no labels of scene {scene!r}: {err}") from err


def read_occ3d_labels(path: Path) -> Occ3dLabels:
    """Reads the labels of a sample.

    Raises:
        DataError: If the file is missing, damaged or no such labels.
    """
    try:
        _refuse_large(path)
        with np.load(path, allow_pickle=False) as content:
            semantics, lidar, camera = (_voxels(content[name], name) for name in _FIELDS)
    except (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile) as err:
        raise DataError(f"{path}: expected Occ3D labels ({', '.join(_FIELDS)} [200 200 16]): {err}") from err
    if semantics.max() > FREE:
        raise DataError(f"{path}: class {semantics.max()}, but Occ3D has 0..{FREE}")
    return Occ3dLabels(semantics, lidar != 0, camera != 0)


def _refuse_large(path: Path) -> None:
    """Refuses what would unpack to more memory than labels need."""
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    for name in _FIELDS:
        if sizes.get(f"{name}.npy", 0) > _LARGEST_FIELD:
            raise ValueError(f"{name} has {sizes[f'{name}.npy']} bytes")


def _voxels(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if values.shape != OCC3D_GRID.size or not (values.dtype == np.bool_ or np.issubdtype(values.dtype, np.integer)):
        raise ValueError(f"{name} is {values.dtype} {values.shape}")
    if values.size and (values.min() < 0 or values.max() > np.iinfo(np.uint8).max):
        raise ValueError(f"{name} has values from {values.min()} to {values.max()}")
    return values.astype(np.uint8)
