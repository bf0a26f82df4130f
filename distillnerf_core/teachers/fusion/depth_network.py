"""Depth Anything from a local Hugging Face folder; nothing is downloaded and nothing in a folder is executed."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.data.drive import FloatArray
from distillnerf_core.errors import CheckpointError
from distillnerf_core.teachers.features.patches import fitted_size, resize_image, standardise
from distillnerf_core.teachers.features.weights import PublishedModel, hash_files, load_vision_model, weight_files
from distillnerf_core.teachers.placed_camera import Floats

DEPTH_ANYTHING = PublishedModel(
    "monocular depth", "depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf", ("depth_anything",)
)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NEAREST_M = 0.1


class DepthNetwork:
    """A network of `transformers` that gives depth, or inverse depth up to a scale and a shift, for one image.

    Args:
        model: A `DepthAnythingForDepthEstimation`, frozen.
        short_side_px: Shorter side at which it sees an image.
        name: Name of the network and its weights.

    Attributes:
        name: As given.
        metric: Whether it gives metres.
    """

    def __init__(self, model: Any, short_side_px: int, name: str) -> None:
        self.name = name
        self.metric = model.config.depth_estimation_type == "metric"
        self._model, self._short_side_px = model, short_side_px
        self._patch_px = int(model.config.patch_size)

    @torch.inference_mode()
    def inverse_depth(self, pixels: NDArray[np.uint8], intrinsics: FloatArray) -> Floats:
        """Returns inverse depth [height width] along the optical axis of RGB [height width 3]."""
        height, width = pixels.shape[:2]
        size = fitted_size(height, width, self._short_side_px, self._patch_px, self._patch_px)
        image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255.0
        seen = standardise(resize_image(image, *size)[None], _MEAN, _STD).to(self._model.device)
        predicted = self._model(pixel_values=seen).predicted_depth[0].float().cpu().numpy()
        inverse = 1.0 / np.maximum(predicted, _NEAREST_M) if self.metric else predicted
        return np.asarray(cv2.resize(inverse, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def load_depth_network(folder: Path, short_side_px: int, device: torch.device | str = "cpu") -> DepthNetwork:
    """Loads Depth Anything, metric or not, of any size.

    Args:
        folder: Folder with config.json and the weights, as `transformers` writes it.
        short_side_px: Shorter side at which it sees an image; it becomes a multiple of the size of a patch.
        device: Where it computes.

    Raises:
        CheckpointError: If the folder or a file is missing or damaged, or the model is another one.
    """
    try:
        from transformers import AutoModelForDepthEstimation
    except ImportError as err:
        raise CheckpointError(
            f"monocular depth needs {err.name}, which is not installed: pip install transformers"
        ) from err
    model = load_vision_model(folder, AutoModelForDepthEstimation, DEPTH_ANYTHING).to(device)
    name = f"{folder.resolve().name} sha256:{hash_files(weight_files(folder))[:16]}"
    return DepthNetwork(model, short_side_px, name)
