"""Reads the depth prior from a local Hugging Face folder of Depth Anything v1."""

import json
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from distillnerf_core.errors import CheckpointError
from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig
from distillnerf_core.model.depth_prior.names import translate
from distillnerf_core.model.depth_prior.vision_transformer import LEVELS
from distillnerf_core.model.tensor_shapes import shape_problems

_LOGGER = logging.getLogger(__name__)
REPOSITORY = "LiheYoung/depth-anything-base-hf"
"""Where the folder comes from."""

_LAYER = r"backbone\.encoder\.layer\.(\d+)\."
_BLOCK = r"transformer.blocks.\1."
_FUSION = r"neck\.fusion_stage\.layers\."
_AFFINE = r"(weight|bias)"
_NAMES: tuple[tuple[str, str], ...] = (
    (r"backbone\.embeddings\.cls_token", "transformer.class_token"),
    (r"backbone\.embeddings\.position_embeddings", "transformer.position_embedding"),
    (rf"backbone\.embeddings\.patch_embeddings\.projection\.{_AFFINE}", r"transformer.patch_embedding.\1"),
    (rf"{_LAYER}norm1\.{_AFFINE}", rf"{_BLOCK}attention_norm.\2"),
    (rf"{_LAYER}attention\.attention\.(query|key|value)\.{_AFFINE}", rf"{_BLOCK}attention.\2.\3"),
    (rf"{_LAYER}attention\.q_proj\.{_AFFINE}", rf"{_BLOCK}attention.query.\2"),
    (rf"{_LAYER}attention\.k_proj\.{_AFFINE}", rf"{_BLOCK}attention.key.\2"),
    (rf"{_LAYER}attention\.v_proj\.{_AFFINE}", rf"{_BLOCK}attention.value.\2"),
    (rf"{_LAYER}attention\.(?:output\.dense|o_proj)\.{_AFFINE}", rf"{_BLOCK}attention.projection.\2"),
    (rf"{_LAYER}layer_scale1\.lambda1", rf"{_BLOCK}attention_scale"),
    (rf"{_LAYER}norm2\.{_AFFINE}", rf"{_BLOCK}mlp_norm.\2"),
    (rf"{_LAYER}mlp\.fc1\.{_AFFINE}", rf"{_BLOCK}mlp.0.\2"),
    (rf"{_LAYER}mlp\.fc2\.{_AFFINE}", rf"{_BLOCK}mlp.2.\2"),
    (rf"{_LAYER}layer_scale2\.lambda1", rf"{_BLOCK}mlp_scale"),
    (rf"backbone\.layernorm\.{_AFFINE}", r"transformer.norm.\1"),
    (rf"neck\.reassemble_stage\.layers\.(\d)\.(projection|resize)\.{_AFFINE}", r"head.levels.\1.\2.\3"),
    (r"neck\.convs\.(\d)\.weight", r"head.levels.\1.lateral.weight"),
    *(
        (rf"{_FUSION}{3 - i}\.{theirs}\.{_AFFINE}", rf"head.fusions.{i}.{ours}.\1")
        for i in range(4)
        for theirs, ours in (
            (r"residual_layer1\.convolution1", "lateral.first"),
            (r"residual_layer1\.convolution2", "lateral.second"),
            (r"residual_layer2\.convolution1", "refinement.first"),
            (r"residual_layer2\.convolution2", "refinement.second"),
            ("projection", "output"),
        )
    ),
)
_IGNORED = rf"backbone\.embeddings\.mask_token|head\..*|{_FUSION}0\.residual_layer1\..*"


def load_depth_prior(folder: Path, config: DepthPriorConfig | None = None) -> DepthPrior:
    """Builds the prior from a folder; nothing in the folder is executed.

    Args:
        folder: Folder with config.json and model.safetensors or pytorch_model.bin.
        config: The prior to build; None for the published one.

    Raises:
        CheckpointError: See :func:`read_depth_prior`.
    """
    chosen = config or DepthPriorConfig()
    tensors = read_depth_prior(folder, chosen)
    with torch.device("meta"):
        prior = DepthPrior(chosen)
    prior.load_state_dict(tensors, assign=True)
    return prior.eval()


def read_depth_prior(folder: Path, config: DepthPriorConfig) -> dict[str, Tensor]:
    """Reads the tensors of `DepthPrior` from a folder as `transformers` writes it.

    Args:
        folder: Folder with config.json and model.safetensors or pytorch_model.bin.
        config: The architecture to expect.

    Returns:
        Float32 tensors on the CPU, named as in `DepthPrior`.

    Raises:
        CheckpointError: If the folder or a file is missing or damaged, the model is another one (Depth
            Anything v2 has the same tensors but other weights), or tensors are missing or unexpected.
    """
    _check_config(folder, config)
    file = find_weights(folder)
    tensors, ignored = {}, []
    for key, value in _read_weights(file).items():
        if re.fullmatch(_IGNORED, key):
            ignored.append(key)
        else:
            tensors[translate(key, _NAMES) or key] = value.float()
    _LOGGER.info("depth prior read from %s; %d tensors without effect on its features ignored", file, len(ignored))
    joined = _join_attention(tensors)
    _check_tensors(joined, config, file)
    return joined


def _check_config(folder: Path, config: DepthPriorConfig) -> None:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise CheckpointError(f"depth prior: cannot read {path}: {err}; {_remedy(folder)}") from err
    if not isinstance(values, dict) or values.get("model_type") != "depth_anything":
        raise CheckpointError(f"{path}: not a Depth Anything model; {_remedy(folder)}")
    backbone = values.get("backbone_config") or {}
    depth = config.transformer.depth
    expected = {
        "blocks whose features are used": tuple(range(depth - LEVELS + 1, depth + 1)),
        "attention heads": config.transformer.heads,
    }
    found = {
        "blocks whose features are used": _output_blocks(backbone),
        "attention heads": backbone.get("num_attention_heads", 12),
    }
    for name, value in expected.items():
        if found[name] != value:
            raise CheckpointError(
                f"{path}: {name}: expected {value}, got {found[name]} (Depth Anything v1, base size, is needed: "
                f"v2 and the other sizes do not fit the published weights); {_remedy(folder)}"
            )


def _output_blocks(backbone: Mapping[str, Any]) -> tuple[int, ...]:
    names = backbone.get("out_features") or [f"stage{index}" for index in backbone.get("out_indices") or []]
    return tuple(int(str(name).removeprefix("stage")) for name in names)


def find_weights(folder: Path) -> Path:
    """Returns the file of a folder that holds the weights.

    Raises:
        CheckpointError: If there is none.
    """
    candidates = [folder / "model.safetensors", folder / "pytorch_model.bin"]
    for file in candidates:
        if file.is_file():
            return file
    names = " nor ".join(file.name for file in candidates)
    raise CheckpointError(f"depth prior: {folder} holds neither {names}; {_remedy(folder)}")


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, safetensors.SafetensorError) as err:
        raise CheckpointError(f"depth prior: cannot read {file}: {err}; {_remedy(file.parent)}") from err
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise CheckpointError(f"depth prior: {file} is no mapping of names to tensors; {_remedy(file.parent)}")
    return {str(key): value for key, value in loaded.items()}


def _join_attention(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    joined = dict(tensors)
    for name in tensors:
        head, separator, kind = name.partition(".attention.query.")
        parts = [f"{head}.attention.{part}.{kind}" for part in ("query", "key", "value")]
        if separator and all(part in tensors for part in parts):
            joined[f"{head}.attention.qkv.{kind}"] = torch.cat([joined.pop(part) for part in parts])
    return joined


def _check_tensors(tensors: Mapping[str, Tensor], config: DepthPriorConfig, file: Path) -> None:
    with torch.device("meta"):
        expected = DepthPrior(config).state_dict()
    problems = shape_problems(expected, tensors)
    if problems:
        listed = "; ".join(problems[:8])
        raise CheckpointError(
            f"depth prior: {file}: {len(problems)} tensors do not fit Depth Anything v1: {listed}; "
            f"{_remedy(file.parent)}"
        )


def _remedy(folder: Path) -> str:
    return f"where there is internet, download it with: hf download {REPOSITORY} --local-dir {folder}"
