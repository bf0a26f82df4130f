"""The text tower of CLIP ViT-L/14@336 from a local Hugging Face folder."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import LanguageError
from distillnerf_core.language.text_cache import TextCache

_LOGGER = logging.getLogger(__name__)
REPOSITORY = "openai/clip-vit-large-patch14-336"
"""Where the folder comes from."""
_FILES = (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("tokenizer.json", "vocab.json"))
_OLD_END = 2
"""OpenAI's configurations name this token as the end of a text; transformers takes the highest number then."""


class ClipTextEncoder:
    """CLIP's text tower, fp32 on the CPU; a text encoder (see `encoders.TextEncoder`) with raw embeddings beside.

    The network is loaded at the first new text; every text is embedded once and remembered.
    """

    def __init__(self, folder: Path, cache_size: int = 4096) -> None:
        """Makes an encoder without loading it.

        Args:
            folder: Folder with config.json, the weights (model.safetensors or pytorch_model.bin) and the
                tokenizer (tokenizer.json, or vocab.json with merges.txt).
            cache_size: Number of texts remembered; the oldest is forgotten first.
        """
        self._folder = folder
        self._loaded: tuple[Any, Any] | None = None
        self._cache = TextCache(self._embed, cache_size)

    @property
    def name(self) -> str:
        """Identifier of the embedding space."""
        return REPOSITORY

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        """Embeds texts as unit vectors; see :meth:`embed`."""
        return normalize(self.embed(texts), dim=-1)

    def embed(self, texts: Sequence[str]) -> Float[Tensor, "texts dimensions"]:
        """Embeds texts at the length that the network gives them, which the published reduction needs.

        Args:
            texts: Texts of at most 75 tokens each (longer ones are cut).

        Returns:
            Vectors of 768 components, float32, on the CPU.

        Raises:
            LanguageError: If there is no text, a text is empty, or the model's files are missing or
                damaged.
        """
        return self._cache.embeddings(texts)

    def _embed(self, texts: list[str]) -> Float[Tensor, "texts dimensions"]:
        tokenizer, model = self._load()
        length = model.config.max_position_embeddings
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")
        with torch.inference_mode():
            embeddings: Tensor = model(**tokens).text_embeds
        return embeddings.clone()

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            self._loaded = _load_clip(self._folder)
            _LOGGER.info("text encoder %s loaded from %s", self.name, self._folder)
        return self._loaded


def _load_clip(folder: Path) -> tuple[Any, Any]:
    _check_folder(folder)
    try:
        from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModelWithProjection
    except ImportError as err:
        raise LanguageError(
            f"CLIP's text encoder needs {err.name}, which is not installed: pip install transformers"
        ) from err
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        config = CLIPTextConfig.from_pretrained(folder, local_files_only=True)
        model = CLIPTextModelWithProjection(config).float()
        missing, _ = model.load_state_dict(_read_weights(folder), strict=False)
    except Exception as err:  # transformers raises anything over a damaged file
        raise LanguageError(f"cannot load CLIP's text encoder from {folder}: {err}; {_remedy(folder)}") from err
    absent = [name for name in missing if not name.endswith("position_ids")]
    if absent:
        raise LanguageError(
            f"the weights in {folder} lack {len(absent)} tensors of CLIP's text encoder, first {absent[0]!r}; "
            f"{_remedy(folder)}"
        )
    if len(tokenizer) > config.vocab_size or config.eos_token_id not in {_OLD_END, tokenizer.eos_token_id}:
        raise LanguageError(
            f"tokenizer and network in {folder} do not belong together: {len(tokenizer)} and {config.vocab_size} "
            f"tokens, end of text {tokenizer.eos_token_id} and {config.eos_token_id}; {_remedy(folder)}"
        )
    return tokenizer, model.eval()


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """Reads the text tower from weights that usually hold the image tower as well."""
    file = folder / "model.safetensors"
    if file.is_file():
        with safetensors.safe_open(str(file), framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys() if name.startswith("text_")}  # noqa: SIM118
    loaded = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict):
        raise ValueError("pytorch_model.bin is no mapping of names to tensors")
    return {name: value for name, value in loaded.items() if name.startswith("text_")}


def _check_folder(folder: Path) -> None:
    absent = [" or ".join(names) for names in _FILES if not any((folder / name).is_file() for name in names)]
    if absent:
        what = f"lacks {', '.join(absent)}" if folder.is_dir() else "does not exist"
        raise LanguageError(f"CLIP's text encoder: folder {folder} {what}; {_remedy(folder)}")


def _remedy(folder: Path) -> str:
    return f"where there is internet, download it with: hf download {REPOSITORY} --local-dir {folder}"
