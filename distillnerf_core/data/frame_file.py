"""One supervised frame as one compressed .npz file."""

import os
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from distillnerf_core.errors import DataError
from distillnerf_core.frames import MultiViewFrame, OtherViews, SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid

FRAME_VERSION = 1


def write_frame(path: Path, frame: SupervisedFrame) -> None:
    """Writes a frame so that the file appears complete or not at all.

    Raises:
        DataError: If the file cannot be written, for instance because the disk is full.
    """
    partial = path.with_suffix(f".partial{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **_to_arrays(frame))
        partial.replace(path)
    except OSError as err:
        partial.unlink(missing_ok=True)
        raise DataError(f"cannot write frame {path}: {err}; free space or choose another folder") from err


def read_frame(path: Path) -> SupervisedFrame:
    """Reads a frame that `write_frame` wrote.

    Distances come back with the precision of float16 (one part in two thousand).

    Raises:
        DataError: If the file is missing, damaged or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as err:
        raise DataError(f"cannot read frame {path}: {err}; delete the file and simulate it again") from err
    version = int(arrays.get("version", -1))
    if version != FRAME_VERSION:
        raise DataError(f"{path}: frame version {version}, this program reads {FRAME_VERSION}; simulate it again")
    try:
        return _from_arrays(arrays)
    except (KeyError, ValueError, IndexError, RuntimeError) as err:
        raise DataError(f"{path}: not a complete frame ({err}); delete the file and simulate it again") from err


def _to_arrays(supervised: SupervisedFrame) -> dict[str, Any]:
    supervised = supervised.to("cpu")
    frame, rig, grid = supervised.frame, supervised.frame.rig, supervised.grid
    instances = supervised.instances
    return {
        "version": np.int64(FRAME_VERSION),
        "images": (frame.images * 255.0).round().to(torch.uint8).numpy(),
        "camera_mask": frame.camera_mask.numpy(),
        "stamp_ns": np.int64(frame.stamp_ns),
        "camera_stamps_ns": np.array(frame.camera_stamps_ns, dtype=np.int64),
        "motion_compensated": np.bool_(frame.motion_compensated),
        "names": np.array(rig.names),
        "intrinsics": rig.intrinsics.numpy(),
        "camera_to_ego": rig.camera_to_ego.numpy(),
        "ray_distance_m": supervised.ray_distance_m.numpy().astype(np.float16),
        "labels": supervised.labels.numpy(),
        "instances": np.zeros(0, np.uint16) if instances is None else instances.numpy().astype(np.uint16),
        "occupancy": supervised.occupancy.numpy(),
        "visible": np.packbits(supervised.visible.numpy()),
        "grid": np.array([*grid.lower_m, grid.voxel_size_m]),
        "others": np.array([views.name for views in supervised.others], dtype=np.str_),
        **{
            f"{views.name}/{name}": array
            for views in supervised.others
            for name, array in _views_to_arrays(views).items()
        },
    }


def _views_to_arrays(views: OtherViews) -> dict[str, Any]:
    return {
        "images": (views.images * 255.0).round().to(torch.uint8).numpy(),
        "intrinsics": views.rig.intrinsics.numpy(),
        "camera_to_ego": views.rig.camera_to_ego.numpy(),
        "ray_distance_m": views.ray_distance_m.numpy().astype(np.float16),
        "weight": (views.weight * 255.0).round().to(torch.uint8).numpy(),
        "camera_stamps_ns": np.array(views.camera_stamps_ns, dtype=np.int64),
    }


def _from_arrays(arrays: dict[str, Any]) -> SupervisedFrame:
    images = torch.from_numpy(arrays["images"]).float() / 255.0
    height, width = images.shape[2:]
    rig = CameraRig(
        names=tuple(str(name) for name in arrays["names"]),
        intrinsics=torch.from_numpy(arrays["intrinsics"]),
        camera_to_ego=torch.from_numpy(arrays["camera_to_ego"]),
        height=height,
        width=width,
    )
    frame = MultiViewFrame(
        stamp_ns=int(arrays["stamp_ns"]),
        rig=rig,
        images=images,
        camera_mask=torch.from_numpy(arrays["camera_mask"]),
        camera_stamps_ns=tuple(int(stamp) for stamp in arrays["camera_stamps_ns"]),
        motion_compensated=bool(arrays["motion_compensated"]),
    )
    occupancy = torch.from_numpy(arrays["occupancy"])
    visible = np.unpackbits(arrays["visible"], count=occupancy.numel()).reshape(occupancy.shape)
    x, y, z, voxel = (float(value) for value in arrays["grid"])
    instances = torch.from_numpy(arrays["instances"].astype(np.int64))
    return SupervisedFrame(
        frame=frame,
        ray_distance_m=torch.from_numpy(arrays["ray_distance_m"].astype(np.float32)),
        labels=torch.from_numpy(arrays["labels"]),
        occupancy=occupancy,
        visible=torch.from_numpy(visible.astype(bool)),
        grid=VoxelGrid((x, y, z), voxel, (occupancy.shape[0], occupancy.shape[1], occupancy.shape[2])),
        instances=instances if instances.numel() else None,
        others=tuple(_views_from_arrays(str(name), rig, arrays) for name in arrays.get("others", ())),
    )


def _views_from_arrays(name: str, rig: CameraRig, arrays: dict[str, Any]) -> OtherViews:
    intrinsics, poses = (torch.from_numpy(arrays[f"{name}/{part}"]) for part in ("intrinsics", "camera_to_ego"))
    return OtherViews(
        name=name,
        rig=replace(rig, intrinsics=intrinsics, camera_to_ego=poses),
        images=torch.from_numpy(arrays[f"{name}/images"]).float() / 255.0,
        ray_distance_m=torch.from_numpy(arrays[f"{name}/ray_distance_m"].astype(np.float32)),
        weight=torch.from_numpy(arrays[f"{name}/weight"]).float() / 255.0,
        camera_stamps_ns=tuple(int(stamp) for stamp in arrays.get(f"{name}/camera_stamps_ns", ())),
    )
