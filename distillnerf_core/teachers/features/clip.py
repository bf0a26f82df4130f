"""Dense features of CLIP's image tower: one vector a patch that can be compared with texts."""

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

CLIP = PublishedModel("CLIP", "openai/clip-vit-large-patch14-336", ("clip", "clip_vision_model"))
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)

LastBlock = Literal["value", "attention"]


class ClipTeacher:
    """CLIP's image tower with the value path of MaskCLIP (Zhou et al. 2022, section 3.2).

    CLIP's last attention gathers the image in the class token; what patches pass on there is their value. So
    the last block is cut down to the value and output projections of each patch, without attention, residual and
    MLP, and then come the final LayerNorm and the projection to the space of texts, as for the class token:

        f = proj(LN_post(W_out (W_value LN_1(x) + b_value) + b_out)).

    Features are not normalised, as the texts of the published compression are not.

    Args:
        model: A `CLIPVisionModelWithProjection`.
        weights: SHA-256 of its weights.
        stride_px: Distance of patches; None: their size, so that they do not overlap.
        short_side_px: Shorter side of the working image.
        last_block: "value" as above; "attention" runs the last block as it is.
    """

    name = "clip"
    reads_labels = False

    def __init__(
        self,
        model: Any,
        weights: str = "",
        stride_px: int | None = None,
        short_side_px: int = SHORT_SIDE_PX,
        last_block: LastBlock = "value",
    ) -> None:
        self._model = model
        self._weights = weights
        self._patch_px = int(model.config.patch_size)
        self._stride_px = stride_px or self._patch_px
        self._short_side_px = short_side_px
        self._last_block = last_block
        check_stride(self._stride_px, self._patch_px)

    @property
    def channels(self) -> int:
        """Dimensions of the space of texts, 768 as published."""
        return int(self._model.visual_projection.out_features)

    @property
    def margin_px(self) -> float:
        """See :attr:`FeatureTeacher.margin_px`."""
        return (self._patch_px - self._stride_px) / 2

    @property
    def description(self) -> Mapping[str, str]:
        """See :attr:`FeatureTeacher.description`."""
        return {
            "model": CLIP.repository,
            "weights_sha256": self._weights,
            "last_block": self._last_block,
            "stride_px": str(self._stride_px),
            "short_side_px": str(self._short_side_px),
        }

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """See :meth:`FeatureTeacher.working_size`."""
        return fitted_size(height, width, self._short_side_px, self._patch_px, self._stride_px)

    @torch.inference_mode()
    def features(self, batch: ImageBatch) -> Float[Tensor, "images channels rows columns"]:
        """Returns one feature a patch, not normalised."""
        tower = self._model.vision_model
        pixels = standardise(batch.images, _MEAN, _STD)
        patches = embed_patches(pixels, tower.embeddings.patch_embedding.weight, None, self._stride_px)
        rows, columns = patches.shape[-2:]
        hidden = tower.pre_layrnorm(self._tokens(patches.flatten(2).mT, rows, columns))
        *blocks, last = tower.encoder.layers
        for block in blocks:
            hidden = _run_block(block, hidden)
        hidden = _run_block(last, hidden) if self._last_block == "attention" else _value_path(last, hidden)
        features: Tensor = self._model.visual_projection(tower.post_layernorm(hidden[:, 1:]))
        return features.mT.reshape(len(pixels), -1, rows, columns)

    def to(self, device: torch.device | str) -> "ClipTeacher":
        """Moves the network to a device."""
        self._model.to(device)
        return self

    def _tokens(
        self, patches: Float[Tensor, "images patches width"], rows: int, columns: int
    ) -> Float[Tensor, "images tokens width"]:
        embeddings = self._model.vision_model.embeddings
        table = embeddings.position_embedding.weight
        positions = torch.cat((table[:1], interpolate_positions(table[1:], rows, columns)))
        first = embeddings.class_embedding.expand(len(patches), 1, -1)
        return torch.cat((first, patches), dim=1) + positions


def load_clip_teacher(
    folder: Path, stride_px: int | None = None, short_side_px: int = SHORT_SIDE_PX, last_block: LastBlock = "value"
) -> ClipTeacher:
    """Loads CLIP's image tower from a local folder.

    Args:
        folder: Hugging Face folder of a CLIP model.
        stride_px: See :class:`ClipTeacher`.
        short_side_px: See :class:`ClipTeacher`.
        last_block: See :class:`ClipTeacher`.

    Raises:
        CheckpointError: If the folder is missing, damaged or holds another model.
        ConfigurationError: If the stride is larger than a patch.
    """
    try:
        from transformers import CLIPVisionModelWithProjection
    except ImportError as err:
        raise CheckpointError(f"CLIP needs {err.name}, which is not installed: pip install transformers") from err
    model = load_vision_model(folder, CLIPVisionModelWithProjection, CLIP)
    return ClipTeacher(model, hash_files(weight_files(folder)), stride_px, short_side_px, last_block)


def _run_block(block: Any, hidden: Tensor) -> Tensor:
    # Spelled out, as the signature of transformers' own block differs from version to version.
    hidden = hidden + block.self_attn(hidden_states=block.layer_norm1(hidden))[0]
    output: Tensor = hidden + block.mlp(block.layer_norm2(hidden))
    return output


def _value_path(block: Any, hidden: Tensor) -> Tensor:
    attention = block.self_attn
    output: Tensor = attention.out_proj(attention.v_proj(block.layer_norm1(hidden)))
    return output
