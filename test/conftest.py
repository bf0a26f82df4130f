"""Shape checks for every test, and the optional shared material."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("distillnerf_core", "beartype.beartype")

# Seeded, and without a deadline: on a busy machine time says nothing about correctness.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")

ROOT = Path(__file__).resolve().parent.parent


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
