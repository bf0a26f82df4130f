"""Pictures of supervised frames for people: images, distance, classes and the bird's eye view."""

import cv2
import numpy as np
import torch

from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.classes import FREE
from distillnerf_core.perception.pictures.colors import Image, color_depth, color_labels

_FARTHEST_M = 80.0


def frame_overview(frame: SupervisedFrame) -> Image:
    """Draws images, distance and classes of all cameras, and the occupancy from above; returns RGB [h w 3].

    The rows hold three cameras each; ego is in the middle of the bird's eye view and drives upwards. What no camera
    sees is drawn pale.
    """
    images = (frame.frame.images * 255.0).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    distances = np.stack([color_depth(image, _FARTHEST_M) for image in frame.ray_distance_m.cpu().numpy()])
    labels = color_labels(frame.labels.cpu().numpy())
    columns = [_mosaic(images), _mosaic(distances), _mosaic(labels)]
    height = columns[0].shape[0]
    top = cv2.resize(bird_eye(frame), (height, height), interpolation=cv2.INTER_NEAREST)
    return np.concatenate([*columns, np.asarray(top, dtype=np.uint8)], axis=1)


def bird_eye(frame: SupervisedFrame) -> Image:
    """Draws the topmost class of each column of voxels, forward upwards; pale where no camera sees."""
    occupied = frame.occupancy < FREE
    height = torch.arange(frame.grid.size[2], device=occupied.device) + 1
    top = (occupied * height).amax(dim=2) - 1
    labels = frame.occupancy.gather(2, top.clamp(min=0)[..., None])[..., 0]
    colors = color_labels(labels.cpu().numpy()).astype(np.float32)
    colors[(top < 0).cpu().numpy()] = 255.0
    unseen = ~frame.visible.any(dim=2).cpu().numpy()
    colors[unseen] = 0.35 * colors[unseen] + 0.65 * 255.0
    return np.asarray(colors[::-1, ::-1], dtype=np.uint8)


def _mosaic(images: Image) -> Image:
    rows = [np.concatenate(list(images[first : first + 3]), axis=1) for first in range(0, len(images), 3)]
    return np.concatenate(rows, axis=0)
