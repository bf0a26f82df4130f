"""What a recorded frame can teach: depth and free space from LiDAR, classes from labelled boxes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from distillnerf_core.data.frame_folder import RecordedFrame
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.errors import DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.geometry.transforms import invert_rigid, transform_points
from distillnerf_core.language.classes import BACKGROUND, FREE, UNKNOWN

_RAY_STEP_M = 0.2
_SURFACE_MARGIN_M = 0.5


def supervise(recorded: RecordedFrame, height: int, width: int, grid: VoxelGrid = OCC3D_GRID) -> SupervisedFrame:
    """Turns LiDAR points and boxes into the same ground truth that simulation gives, sparse as it is.

    Raises:
        DataError: If the frame has no LiDAR sweep.
    """
    if recorded.lidar is None:
        raise DataError(f"frame at {recorded.stamp_ns} ns has no LiDAR sweep, from which depth would be learnt")
    frame = recorded.resized(height, width)
    points = recorded.lidar.points_m
    labels = label_points(points, recorded.boxes)
    distance, pixel_labels = project_points(points, labels, frame.rig)
    occupancy = voxel_labels(points, labels, points.new_tensor(recorded.lidar.origin_m), grid)
    return SupervisedFrame(frame, distance, pixel_labels, occupancy, occupancy != UNKNOWN, grid)


def label_points(points_m: Float[Tensor, "points 3"], boxes: Sequence[LabelledBox]) -> UInt8[Tensor, " points"]:
    """Labels the points inside boxes with the box's class and all others as background."""
    labels = torch.full((len(points_m),), BACKGROUND, dtype=torch.uint8)
    for box in boxes:
        number = box.occ3d_class
        labels[box.contains(points_m)] = UNKNOWN if number is None else number
    return labels


def project_points(
    points_m: Float[Tensor, "points 3"], labels: UInt8[Tensor, " points"], rig: CameraRig
) -> tuple[Float[Tensor, "cameras height width"], UInt8[Tensor, "cameras height width"]]:
    """Projects points into images; a pixel keeps the nearest.

    Returns:
        Distance from the camera centre, NaN where no point falls, and the label of that point.
    """
    distance = torch.full((len(rig), rig.height * rig.width), torch.nan)
    pixel_labels = torch.full((len(rig), rig.height * rig.width), UNKNOWN, dtype=torch.uint8)
    for camera in range(len(rig)):
        in_camera = transform_points(invert_rigid(rig.camera_to_ego[camera]), points_m)
        image = in_camera @ rig.intrinsics[camera].T
        pixel = torch.floor(image[:, :2] / image[:, 2:].clamp_min(1e-3)).long()
        size = torch.tensor([rig.width, rig.height])
        seen = (in_camera[:, 2] > 1.0) & (pixel >= 0).all(dim=1) & (pixel < size).all(dim=1)
        depth = torch.linalg.vector_norm(in_camera[seen], dim=1)
        far_first = depth.argsort(descending=True)
        flat = (pixel[seen][:, 1] * rig.width + pixel[seen][:, 0])[far_first]
        order = _last_of_each(flat)
        distance[camera, flat[order]] = depth[far_first][order]
        pixel_labels[camera, flat[order]] = labels[seen][far_first][order]
    shape = (len(rig), rig.height, rig.width)
    return distance.view(shape), pixel_labels.view(shape)


def voxel_labels(
    points_m: Float[Tensor, "points 3"],
    labels: UInt8[Tensor, " points"],
    origins_m: Float[Tensor, "3"] | Float[Tensor, "points 3"],
    grid: VoxelGrid,
) -> UInt8[Tensor, "x y z"]:
    """Marks the voxels that hold points, and those that the beams passed on the way as free.

    Args:
        points_m: What was measured, ego frame.
        labels: Its class.
        origins_m: Where from: one place, or one for each point.
        grid: The voxels.
    """
    result = torch.full(grid.size, UNKNOWN, dtype=torch.uint8)
    origins = origins_m.expand_as(points_m)
    offsets = points_m - origins
    lengths = torch.linalg.vector_norm(offsets, dim=1)
    for step in range(int(60.0 / _RAY_STEP_M)):
        passed = _RAY_STEP_M * step
        going = lengths > passed + _SURFACE_MARGIN_M
        index, inside = grid.indices(origins[going] + offsets[going] * (passed / lengths[going])[:, None])
        x, y, z = index[inside].unbind(dim=1)
        result[x, y, z] = FREE
    index, inside = grid.indices(points_m)
    x, y, z = index[inside].unbind(dim=1)
    result[x, y, z] = BACKGROUND
    named = inside & (labels != BACKGROUND)
    x, y, z = index[named].unbind(dim=1)
    result[x, y, z] = labels[named]
    return result


def _last_of_each(values: Int64[Tensor, " items"]) -> Int64[Tensor, " kept"]:
    """Returns the position of the last occurrence of every distinct value."""
    ordered = torch.sort(values, stable=True)
    last = torch.ones_like(values, dtype=torch.bool)
    last[:-1] = ordered.values[1:] != ordered.values[:-1]
    return ordered.indices[last]
