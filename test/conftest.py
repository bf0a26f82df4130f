"""Shape checks for every test, the optional shared material, and a small published network with a small CLIP."""

import os
import string
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("distillnerf_core", "beartype.beartype")

# Seeded, and without a deadline: on a busy machine time says nothing about correctness.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")

ROOT = Path(__file__).resolve().parent.parent
CLIP_DIMENSIONS, FEATURE_CHANNELS = 10, 64


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The material beside the checkout: golden tensors and real frames."""
    folder = Path(os.environ.get("DISTILLNERF_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no ../shared beside the checkout (golden tensors, real frames)")
    return folder


@pytest.fixture(scope="session")
def golden_dir(shared_dir: Path) -> Path:
    """Tensors of the reference network."""
    return shared_dir / "golden"


@pytest.fixture(scope="session")
def clip_model() -> Any:
    """A random CLIP, text and image, at a size for tests."""
    import torch

    transformers: Any = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = {**sizes, "vocab_size": 54, "max_position_embeddings": 40, "projection_dim": CLIP_DIMENSIONS}
    special = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    vision = {**sizes, "image_size": 8, "patch_size": 4, "projection_dim": CLIP_DIMENSIONS}
    config = transformers.CLIPConfig(
        text_config={**text, **special}, vision_config=vision, projection_dim=CLIP_DIMENSIONS
    )
    return transformers.CLIPModel(config).eval()


@pytest.fixture(scope="session")
def clip_folder(clip_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random CLIP as a Hugging Face folder, with a tokenizer of single letters."""
    transformers: Any = pytest.importorskip("transformers")
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
    vocabulary = {token: index for index, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    path = tmp_path_factory.mktemp("clip")
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(path)
    clip_model.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def clip_compression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a random compression of that CLIP's embeddings."""
    path = tmp_path_factory.mktemp("compression") / "clip_reduction_pca.npz"
    matrix = np.random.default_rng(0).normal(size=(CLIP_DIMENSIONS, FEATURE_CHANNELS))
    np.savez(path, reduction_mat=matrix, min=-np.ones(FEATURE_CHANNELS), max=np.ones(FEATURE_CHANNELS))
    return path


@pytest.fixture(scope="session")
def reference_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes files of converted weights: random ones of a variant with small images and a small depth prior."""

    @cache
    def make(variant: str) -> Path:
        path = tmp_path_factory.mktemp("reference") / "weights.safetensors"
        _write_reference(path, variant)
        return path

    return make


def _write_reference(path: Path, variant: str) -> None:
    import torch

    from distillnerf_core.model.checkpoint import write_safetensors
    from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
    from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
    from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig
    from distillnerf_core.model.reference.predictor import ReferencePredictor
    from distillnerf_core.model.reference.variants import VARIANTS
    from distillnerf_core.model.reference.weights_file import FORMAT

    prior = DepthPriorConfig(
        short_side_px=28,
        transformer=VisionTransformerConfig(width=16, depth=4, heads=2),
        head=DensePredictionConfig(level_channels=(8, 8, 8, 8)),
    )
    changes = {"image_height": 32, "image_width": 64, "render_height": 16, "render_width": 32, "prior": prior}
    config = VARIANTS[variant].model_copy(update=changes)
    torch.manual_seed(0)
    predictor = ReferencePredictor(config)
    if predictor.feature_head is not None:
        # As it is initialised, the head gives nearly the same feature everywhere.
        for layer in predictor.feature_head.parameters():
            layer.data *= 5.0
    metadata = {"format": FORMAT, "variant": variant, "config": config.model_dump_json(), "provenance": "{}"}
    write_safetensors(path, predictor.state_dict(), metadata)
