"""Dense features of DINOv2."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.teachers.features.patches import (
    SHORT_SIDE_PX,
    check_stride,
    embed_patches,
    fitted_size,
    interpolate_positions,
    standardise,
)
from distillnerf_core.teachers.features.teacher import ImageBatch
from distillnerf_core.teachers.features.weights import PublishedModel, hash_files, load_vision_model, weight_files

DINOV2 = PublishedModel("DINOv2", "facebook/dinov2-base", ("dinov2",))
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

Facet = Literal["token", "key"]


class Dinov2Teacher:
    """DINOv2 (Oquab et al. 2023): patch tokens after the final LayerNorm, or the keys of the last block.

    The published features are inferred to be the keys of block 11 of ViT-B/14 at stride 7, all heads side by side
    (reference network, section 4.5).

    Args:
        model: A `Dinov2Model`.
        weights: SHA-256 of its weights.
        stride_px: Distance of patches; None: their size, so that they do not overlap.
        short_side_px: Shorter side of the working image.
        facet: "token" or "key".
    """

    name = "dinov2"
    reads_labels = False

    def __init__(
        self,
        model: Any,
        weights: str = "",
        stride_px: int | None = None,
        short_side_px: int = SHORT_SIDE_PX,
        facet: Facet = "token",
    ) -> None:
        self._model = model
        self._weights = weights
        self._patch_px = int(model.config.patch_size)
        self._stride_px = stride_px or self._patch_px
        self._short_side_px = short_side_px
        self._facet = facet
        check_stride(self._stride_px, self._patch_px)

    @property
    def channels(self) -> int:
        """Width of the network, 768 for ViT-B."""
        return int(self._model.config.hidden_size)

    @property
    def margin_px(self) -> float:
        """See :attr:`FeatureTeacher.margin_px`."""
        return (self._patch_px - self._stride_px) / 2

    @property
    def description(self) -> Mapping[str, str]:
        """See :attr:`FeatureTeacher.description`."""
        return {
            "model": DINOV2.repository,
            "weights_sha256": self._weights,
            "facet": self._facet,
            "stride_px": str(self._stride_px),
            "short_side_px": str(self._short_side_px),
        }

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """See :meth:`FeatureTeacher.working_size`."""
        return fitted_size(height, width, self._short_side_px, self._patch_px, self._stride_px)

    @torch.inference_mode()
    def features(self, batch: ImageBatch) -> Float[Tensor, "images channels rows columns"]:
        """Returns one feature a patch."""
        projection = self._model.embeddings.patch_embeddings.projection
        pixels = standardise(batch.images, _MEAN, _STD)
        patches = embed_patches(pixels, projection.weight, projection.bias, self._stride_px)
        rows, columns = patches.shape[-2:]
        hidden = self._tokens(patches.flatten(2).mT, rows, columns)
        *blocks, last = self._model.encoder.layer
        for block in blocks:
            hidden = _run_block(block, hidden)
        hidden = _keys(last, hidden) if self._facet == "key" else self._model.layernorm(_run_block(last, hidden))
        return hidden[:, 1:].mT.reshape(len(pixels), -1, rows, columns)

    def to(self, device: torch.device | str) -> "Dinov2Teacher":
        """Moves the network to a device."""
        self._model.to(device)
        return self

    def _tokens(
        self, patches: Float[Tensor, "images patches width"], rows: int, columns: int
    ) -> Float[Tensor, "images tokens width"]:
        embeddings = self._model.embeddings
        table = embeddings.position_embeddings[0]
        positions = torch.cat((table[:1], interpolate_positions(table[1:], rows, columns)))
        first = embeddings.cls_token.expand(len(patches), 1, -1)
        return torch.cat((first, patches), dim=1) + positions


def load_dinov2_teacher(
    folder: Path, stride_px: int | None = None, short_side_px: int = SHORT_SIDE_PX, facet: Facet = "token"
) -> Dinov2Teacher:
    """Loads DINOv2 from a local folder.

    Args:
        folder: Hugging Face folder of a DINOv2 model without registers.
        stride_px: See :class:`Dinov2Teacher`.
        short_side_px: See :class:`Dinov2Teacher`.
        facet: See :class:`Dinov2Teacher`.

    Raises:
        CheckpointError: If the folder is missing, damaged or holds another model.
        ConfigurationError: If the stride is larger than a patch.
    """
    try:
        from transformers import Dinov2Model
    except ImportError as err:
        raise CheckpointError(f"DINOv2 needs {err.name}, which is not installed: pip install transformers") from err
    model = load_vision_model(folder, Dinov2Model, DINOV2)
    return Dinov2Teacher(model, hash_files(weight_files(folder)), stride_px, short_side_px, facet)


def _run_block(block: Any, hidden: Tensor) -> Tensor:
    # Older versions of transformers return a tuple.
    result = block(hidden)
    output: Tensor = result[0] if isinstance(result, tuple) else result
    return output


def _keys(block: Any, hidden: Tensor) -> Tensor:
    # The second name is that of transformers before version 5.
    attention = block.attention
    project = attention.k_proj if hasattr(attention, "k_proj") else attention.attention.key
    keys: Tensor = project(block.norm1(hidden))
    return keys
