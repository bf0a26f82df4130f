"""A picture of how far training has come."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.perception.pictures.colors import color_depth

_FAR_M = 60.0


@torch.no_grad()
def draw_progress(predictor: ScenePredictor, frame: MultiViewFrame, cameras: int = 3) -> NDArray[np.uint8]:
    """Shows input, reconstruction and rendered depth of the first cameras, one row for each.

    Returns:
        RGB picture [rows columns 3].
    """
    rig = frame.rig.select(range(min(cameras, len(frame.rig))))
    small = rig.resized(rig.height // 2, rig.width // 2)
    views = predictor.render(predictor.encode_frame(frame), small, language=False)
    assert views.rgb is not None
    depth = F.interpolate(views.ray_distance_m[:, None], scale_factor=2.0)[:, 0].cpu().numpy()
    rows = []
    for camera in range(len(rig)):
        images = torch.cat((frame.images[camera], views.rgb[camera]), dim=2).permute(1, 2, 0).cpu().numpy()
        pixels = (255.0 * images.clip(0, 1)).astype(np.uint8)
        rows.append(np.concatenate((pixels, color_depth(depth[camera], _FAR_M)), axis=1))
    return np.concatenate(rows)
