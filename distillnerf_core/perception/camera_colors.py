"""The colours that cameras see at given points."""

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.perception.depth_points import image_bytes
from distillnerf_core.perception.results import PerceptionResult

UNSEEN_COLOR = (128, 128, 128)
_NEAREST_M = 0.1


def camera_colors(
    result: PerceptionResult, points_m: Float[Tensor, "points 3"], margin_m: float
) -> UInt8[ndarray, "points 3"]:
    """Returns the colour of each point in the camera that sees it nearest to its optical axis; grey where none does.

    Args:
        result: Frame with depth.
        points_m: Points in the ego frame, metres.
        margin_m: How far behind the rendered depth a point counts as seen, metres.

    Raises:
        QueryError: If the frame was perceived without depth.
    """
    if result.depth is None:
        raise QueryError("the frame was perceived without depth images: ask for Output.DEPTH")
    rig, depth = result.depth.rig, result.depth.z_depth_m
    images = torch.from_numpy(image_bytes(result, rig.height, rig.width))
    colors = torch.tensor(UNSEEN_COLOR, dtype=torch.uint8).repeat(len(points_m), 1)
    best = torch.full((len(points_m),), torch.inf)
    ego_to_camera = invert_rigid(rig.camera_to_ego).cpu()
    for camera in range(len(rig)):
        local = points_m.cpu() @ ego_to_camera[camera, :3, :3].T + ego_to_camera[camera, :3, 3]
        pixels = local @ rig.intrinsics[camera].cpu().T
        column, row = (pixels[:, :2] / local[:, 2:].clamp_min(_NEAREST_M)).floor().long().unbind(1)
        inside = (column >= 0) & (column < rig.width) & (row >= 0) & (row < rig.height) & (local[:, 2] > _NEAREST_M)
        row, column = row.clamp(0, rig.height - 1), column.clamp(0, rig.width - 1)
        seen = inside & (local[:, 2] <= depth[camera].cpu()[row, column] + margin_m)
        off_axis = local[:, :2].norm(dim=1) / local[:, 2].clamp_min(_NEAREST_M)
        better = seen & (off_axis < best)
        colors[better], best[better] = images[camera, row[better], column[better]], off_axis[better]
    seen_colors: UInt8[ndarray, "points 3"] = colors.numpy()
    return seen_colors
