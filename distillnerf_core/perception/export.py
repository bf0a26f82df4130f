"""Files of a perception result: arrays for programs, images and point clouds for viewers."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DataError
from distillnerf_core.perception.ply import place, write_ply
from distillnerf_core.perception.results import DepthImages, PerceptionResult, SemanticOccupancy

_POINT = np.dtype(
    [
        *((axis, "<f4") for axis in "xyz"),
        *((channel, "u1") for channel in ("red", "green", "blue", "label")),
        ("confidence", "<f4"),
    ]
)


def write_result(folder: Path, result: PerceptionResult) -> None:
    """Writes depth and occupancy of a result.

    Makes `depth.npz` (z_depth_m, intrinsics, camera_to_ego, camera names), `depth_CAMERA.png` (16 bit,
    millimetres, 0 where missing or beyond the range), `occupancy.npz` (labels, density, confidence, lower_m,
    voxel_size_m, class_names) and `occupancy.ply` (occupied voxels with class colours).

    Args:
        folder: Folder to write into; made if needed.
        result: What was perceived; outputs that are None are left out.

    Raises:
        DataError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if result.depth is not None:
            _write_depth(folder, result.depth, result.stamp_ns)
        if result.occupancy is not None:
            _write_occupancy(folder, result.occupancy, result.stamp_ns)
    except OSError as err:
        raise DataError(f"cannot write to {folder}: {err} (free disk space or choose another folder)") from err


def write_image(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Writes an RGB or a one-channel image; the suffix chooses the format.

    Raises:
        DataError: If the file cannot be written.
    """
    stored = image[..., ::-1] if image.ndim == 3 else image
    done, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(stored))
    if not done:
        raise DataError(f"cannot encode image {path}: use .png or .jpg")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
    except OSError as err:
        raise DataError(f"cannot write image {path}: {err} (free disk space or choose another folder)") from err


def occupied_points(occupancy: SemanticOccupancy) -> NDArray[Any]:
    """Returns the occupied voxels as records: x, y, z (ego frame, metres), red, green, blue, label, confidence."""
    index = occupancy.occupied.index.cpu().numpy()
    centers = occupancy.occupied.centers_m(occupancy.grid).cpu().numpy()
    points = np.zeros(len(index), dtype=_POINT)
    points["label"] = occupancy.labels.cpu().numpy()[tuple(index.T)]
    place(points, centers, occupancy.classes.palette()[points["label"]])
    points["confidence"] = occupancy.confidence.cpu().numpy()[tuple(index.T)]
    return points


def _write_depth(folder: Path, depth: DepthImages, stamp_ns: int) -> None:
    z_depth = depth.z_depth_m.cpu().numpy()
    np.savez_compressed(
        folder / "depth.npz",
        z_depth_m=z_depth,
        intrinsics=depth.rig.intrinsics.cpu().numpy(),
        camera_to_ego=depth.rig.camera_to_ego.cpu().numpy(),
        cameras=np.array(depth.rig.names),
        stamp_ns=np.int64(stamp_ns),
    )
    millimetres = np.nan_to_num(1e3 * z_depth, nan=0.0, posinf=0.0).clip(0, 65_535).astype(np.uint16)
    for name, image in zip(depth.rig.names, millimetres, strict=True):
        write_image(folder / f"depth_{name}.png", image)


def _write_occupancy(folder: Path, occupancy: SemanticOccupancy, stamp_ns: int) -> None:
    np.savez_compressed(
        folder / "occupancy.npz",
        labels=occupancy.labels.cpu().numpy(),
        density=occupancy.density.half().cpu().numpy(),
        confidence=(255 * occupancy.confidence).round().byte().cpu().numpy(),
        lower_m=np.array(occupancy.grid.lower_m),
        voxel_size_m=np.float64(occupancy.grid.voxel_size_m),
        class_names=np.array(occupancy.classes.names),
        stamp_ns=np.int64(stamp_ns),
    )
    write_ply(folder / "occupancy.ply", occupied_points(occupancy))
