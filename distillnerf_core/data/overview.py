"""Pictures of supervised frames for people: images, distance, classes and the bird's eye view."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.classes import CLASS_COLORS, FREE, SKY_COLOR

Picture = NDArray[np.uint8]
_NEAREST_M, _FARTHEST_M = 2.0, 80.0


def frame_overview(frame: SupervisedFrame) -> Picture:
    """Draws images, distance and classes of all cameras, and the occupancy from above; returns RGB [h w 3].

    The rows hold three cameras each; ego is in the middle of the bird's eye view and drives upwards. What no camera
    sees is drawn pale.
    """
    images = (frame.frame.images * 255.0).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    columns = [_mosaic(images), _mosaic(color_distance(frame.ray_distance_m)), _mosaic(color_labels(frame.labels))]
    height = columns[0].shape[0]
    top = cv2.resize(bird_eye(frame), (height, height), interpolation=cv2.INTER_NEAREST)
    return np.concatenate([*columns, np.asarray(top, dtype=np.uint8)], axis=1)


def color_distance(distance_m: Float[Tensor, "*batch"]) -> Picture:
    """Colours distances from red (near) to blue (far) on a logarithmic scale; sky is dark."""
    share = torch.log(distance_m.clamp(min=_NEAREST_M) / _NEAREST_M) / math.log(_FARTHEST_M / _NEAREST_M)
    level = ((1.0 - share.clamp(0.0, 1.0)) * 255.0).round().byte().cpu().numpy()
    colored = cv2.applyColorMap(level.reshape(-1, 1), cv2.COLORMAP_TURBO)[:, 0, ::-1]
    return np.asarray(colored, dtype=np.uint8).reshape(*level.shape, 3)


def color_labels(labels: UInt8[Tensor, "*batch"]) -> Picture:
    """Colours classes; 17 as sky, 255 black."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: len(CLASS_COLORS)] = CLASS_COLORS
    palette[len(CLASS_COLORS)] = SKY_COLOR
    return np.asarray(palette[labels.cpu().numpy()], dtype=np.uint8)


def bird_eye(frame: SupervisedFrame) -> Picture:
    """Draws the topmost class of each column of voxels, forward upwards; pale where no camera sees."""
    occupied = frame.occupancy < FREE
    height = torch.arange(frame.grid.size[2], device=occupied.device) + 1
    top = (occupied * height).amax(dim=2) - 1
    labels = frame.occupancy.gather(2, top.clamp(min=0)[..., None])[..., 0]
    colors = color_labels(labels).astype(np.float32)
    colors[(top < 0).cpu().numpy()] = 255.0
    unseen = ~frame.visible.any(dim=2).cpu().numpy()
    colors[unseen] = 0.35 * colors[unseen] + 0.65 * 255.0
    return np.asarray(colors[::-1, ::-1], dtype=np.uint8)


def _mosaic(images: Picture) -> Picture:
    rows = [np.concatenate(list(images[first : first + 3]), axis=1) for first in range(0, len(images), 3)]
    return np.concatenate(rows, axis=0)
