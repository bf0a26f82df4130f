"""Vision transformers from local Hugging Face folders; nothing is downloaded and nothing in a folder is executed."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillnerf_core.errors import CheckpointError

_HASHED_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class PublishedModel:
    """Where a model comes from.

    Attributes:
        title: Its name for people.
        repository: Its repository on Hugging Face.
        model_types: The values of `model_type` in its config.json.
    """

    title: str
    repository: str
    model_types: tuple[str, ...]

    def remedy(self, folder: Path) -> str:
        """Says how to get the model."""
        return (
            f"expected {folder} to hold config.json and model.safetensors (or pytorch_model.bin); where there is "
            f"internet, download it with: hf download {self.repository} --local-dir {folder}"
        )


def load_vision_model(folder: Path, kind: Any, published: PublishedModel) -> Any:
    """Loads a frozen model in float32 on the CPU.

    Args:
        folder: Folder as `transformers` writes it.
        kind: Class of `transformers` to build.
        published: Where such a folder comes from.

    Raises:
        CheckpointError: If the folder or a file is missing or damaged, or the model is another one.
    """
    _check_folder(folder, published)
    try:
        with _quiet():
            model, report = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except Exception as err:  # transformers raises anything over a damaged file
        raise CheckpointError(f"{published.title}: cannot load {folder}: {err}; {published.remedy(folder)}") from err
    absent = sorted({str(name) for name in report["missing_keys"]})
    if absent:
        raise CheckpointError(
            f"{published.title}: the weights in {folder} lack {len(absent)} tensors, first {absent[0]!r}; "
            f"{published.remedy(folder)}"
        )
    return model.float().eval().requires_grad_(False)


def weight_files(folder: Path) -> list[Path]:
    """Returns the files of a folder that hold weights, in order."""
    return sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def hash_files(paths: list[Path]) -> str:
    """Returns the SHA-256 of the files' contents, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(_HASHED_AT_ONCE):
                digest.update(block)
    return digest.hexdigest()


def _check_folder(folder: Path, published: PublishedModel) -> None:
    if not folder.is_dir():
        raise CheckpointError(f"{published.title}: folder {folder} does not exist; {published.remedy(folder)}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = config.get("model_type")
    except (OSError, ValueError, AttributeError) as err:
        raise CheckpointError(
            f"{published.title}: cannot read {folder / 'config.json'}: {err}; {published.remedy(folder)}"
        ) from err
    if found not in published.model_types:
        raise CheckpointError(
            f"{published.title}: {folder} holds a model of type {found!r}, expected "
            f"{' or '.join(published.model_types)}; {published.remedy(folder)}"
        )
    if not weight_files(folder):
        raise CheckpointError(f"{published.title}: {folder} holds no weights; {published.remedy(folder)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps `transformers` from listing the tensors of the text tower, which are left out on purpose."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
