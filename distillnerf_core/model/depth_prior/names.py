"""What the tensors of the published checkpoint's depth prior are called here."""

import re
from collections.abc import Sequence

OFFICIAL_PREFIX = "model.mono_depth_pretained_model.model."
"""Where the prior stands in a published checkpoint (the spelling is the checkpoint's)."""

_BLOCK = r"pretrained\.blocks\.(\d+)\."
_HEAD = r"depth_head\."
_AFFINE = r"(weight|bias)"

OFFICIAL_NAMES: tuple[tuple[str, str], ...] = (
    (r"pretrained\.cls_token", "transformer.class_token"),
    (r"pretrained\.pos_embed", "transformer.position_embedding"),
    (rf"pretrained\.patch_embed\.proj\.{_AFFINE}", r"transformer.patch_embedding.\1"),
    (rf"{_BLOCK}norm1\.{_AFFINE}", r"transformer.blocks.\1.attention_norm.\2"),
    (rf"{_BLOCK}attn\.qkv\.{_AFFINE}", r"transformer.blocks.\1.attention.qkv.\2"),
    (rf"{_BLOCK}attn\.proj\.{_AFFINE}", r"transformer.blocks.\1.attention.projection.\2"),
    (rf"{_BLOCK}ls1\.gamma", r"transformer.blocks.\1.attention_scale"),
    (rf"{_BLOCK}norm2\.{_AFFINE}", r"transformer.blocks.\1.mlp_norm.\2"),
    (rf"{_BLOCK}mlp\.fc1\.{_AFFINE}", r"transformer.blocks.\1.mlp.0.\2"),
    (rf"{_BLOCK}mlp\.fc2\.{_AFFINE}", r"transformer.blocks.\1.mlp.2.\2"),
    (rf"{_BLOCK}ls2\.gamma", r"transformer.blocks.\1.mlp_scale"),
    (rf"pretrained\.norm\.{_AFFINE}", r"transformer.norm.\1"),
    (rf"{_HEAD}projects\.([0-3])\.{_AFFINE}", r"head.levels.\1.projection.\2"),
    (rf"{_HEAD}resize_layers\.([013])\.{_AFFINE}", r"head.levels.\1.resize.\2"),
    *((rf"{_HEAD}scratch\.layer{i + 1}_rn\.weight", f"head.levels.{i}.lateral.weight") for i in range(4)),
    *(
        (rf"{_HEAD}scratch\.refinenet{i + 1}\.{official}\.{_AFFINE}", rf"head.fusions.{i}.{ours}.\1")
        for i in range(4)
        for official, ours in (
            (r"resConfUnit1\.conv1", "lateral.first"),
            (r"resConfUnit1\.conv2", "lateral.second"),
            (r"resConfUnit2\.conv1", "refinement.first"),
            (r"resConfUnit2\.conv2", "refinement.second"),
            ("out_conv", "output"),
        )
        if i < 3 or ours.partition(".")[0] != "lateral"
    ),
)
"""Ordered pairs: a whole key after :data:`OFFICIAL_PREFIX` (regular expression), its name in `DepthPrior`."""

OFFICIAL_IGNORED: tuple[tuple[str, str], ...] = (
    (r"pretrained\.mask_token", "used only while the transformer was trained"),
    (rf"{_HEAD}scratch\.output_conv[12]\..*", "disparity layers, which follow the features"),
    (rf"{_HEAD}scratch\.refinenet4\.resConfUnit1\..*", "the coarsest fusion has nothing to add to"),
)
"""Keys after :data:`OFFICIAL_PREFIX` (regular expression) that have no place in `DepthPrior`, and why."""


def translate(key: str, names: Sequence[tuple[str, str]]) -> str | None:
    """Renames a key by the first pair whose expression matches the whole of it; None if there is none."""
    for pattern, replacement in names:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(replacement)
    return None
