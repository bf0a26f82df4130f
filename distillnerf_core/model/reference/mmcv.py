"""Reads the checkpoints of mmcv's training loop without running anything that is stored in them."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError

_OPENINGS = (
    (rb"\s*<", "is a web page, not a checkpoint: the download gave an error or a confirmation page; open it to see"),
    (rb"version https://git-lfs", "is a git-lfs pointer, not the checkpoint itself: fetch it with `git lfs pull`"),
    (rb".{8}\{", "is a safetensors file: it may have been converted already"),
    (rb"(?!PK\x03\x04|\x80)", "is no PyTorch checkpoint; expected a *.pth file"),
)
"""How files begin that are often given by mistake."""

_SAVE_AGAIN = (
    "python -c \"import sys, torch; whole = torch.load(sys.argv[1], map_location='cpu', weights_only=False); "
    "torch.save({'state_dict': whole['state_dict']}, sys.argv[2])\""
)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint by their names; those of a zip file stay on disk until they are read.

    Args:
        path: File that mmcv's runner or `torch.save` wrote: a mapping with a `state_dict`, or the state dict itself.

    Raises:
        CheckpointError: If it is missing, damaged, something else, or holds pickled code.
    """
    _check_file(path)
    zipped = zipfile.is_zipfile(path)
    try:
        with _numpy_scalars_allowed():
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as err:
        raise CheckpointError(_refusal(path, str(err))) from err
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as err:
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch checkpoint: {str(err).splitlines()[0] if str(err) else 'no reason'}; "
            "it may be damaged (download it again) or an archive that holds the checkpoint (unpack it)"
        ) from err
    return _state_dict(content, path)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist or is no file: check the path")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as err:
        raise CheckpointError(f"checkpoint {path} cannot be read: {err}") from err
    if not start:
        raise CheckpointError(f"{path} is empty: download it again")
    for opening, meaning in _OPENINGS:
        if re.match(opening, start, re.DOTALL):
            raise CheckpointError(f"{path} {meaning}")
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        size = path.stat().st_size / 2**20
        raise CheckpointError(f"{path} is cut off after {size:.1f} MiB: download it again")


def _numpy_scalars_allowed() -> AbstractContextManager[Any]:
    """Lets numbers of NumPy pass, which training loops leave in `meta`; they are data, not code."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return nullcontext()  # PyTorch before 2.6 cannot allow a name other than an object's own
    scalar = np.float64().__reduce__()[0]
    kinds = {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"}
    allowed = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return torch.serialization.safe_globals([*allowed, np.dtype, *kinds])


def _refusal(path: Path, reason: str) -> str:
    found = re.search(r"GLOBAL (\S+)", reason)
    what = f"the Python object {found.group(1)}" if found else "Python objects other than tensors and plain values"
    return (
        f"{path} holds {what}. Reading it would run code that the file brings along, which is refused. "
        "If you trust its origin, save its tensors alone, on a machine that you can spare, and convert the result:\n"
        f"  {_SAVE_AGAIN} {path.name} tensors_{path.name}"
    )


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a mapping with a 'state_dict'")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        keys = ", ".join(sorted(str(key) for key in content)[:8]) or "none"
        raise CheckpointError(f"{path} holds no 'state_dict' with tensors; its keys: {keys}")
    return tensors
