"""The prior against the tensors of the official modules, with the seeded weights."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig
from distillnerf_core.model.depth_prior.names import (
    OFFICIAL_IGNORED,
    OFFICIAL_NAMES,
    OFFICIAL_PREFIX,
    translate,
)


@pytest.fixture(scope="module")
def official_shapes(shared_dir: Path) -> dict[str, tuple[int, ...]]:
    """Names after the prefix and shapes of the prior in a published checkpoint."""
    lines = (shared_dir / "spec" / "state_dict" / "state_dict_linearspace.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line.startswith(OFFICIAL_PREFIX)]
    return {row[0].removeprefix(OFFICIAL_PREFIX): tuple(int(size) for size in row[1].split("x")) for row in rows}


@pytest.fixture(scope="module")
def prior(golden_dir: Path, official_shapes: dict[str, tuple[int, ...]]) -> DepthPrior:
    """The published architecture with the seeded weights."""
    recipe = _load_recipe(golden_dir)
    tensors = {
        name: torch.from_numpy(recipe.tensor_for(OFFICIAL_PREFIX + key, shape))
        for key, shape in official_shapes.items()
        if (name := translate(key, OFFICIAL_NAMES)) is not None
    }
    with torch.device("meta"):
        prior = DepthPrior(DepthPriorConfig())
    prior.load_state_dict(tensors, assign=True)
    return prior.eval()


def _load_recipe(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("recipe", folder / "recipe.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_official_tensor_has_one_place_or_a_reason_to_be_ignored(
    official_shapes: dict[str, tuple[int, ...]],
) -> None:
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in DepthPrior(DepthPriorConfig()).state_dict().items()}
    named = {translate(key, OFFICIAL_NAMES): shape for key, shape in official_shapes.items()}
    ignored = [key for key in official_shapes if translate(key, OFFICIAL_NAMES) is None]
    assert {name: shape for name, shape in named.items() if name is not None} == expected
    assert len(expected) + len(ignored) == len(official_shapes) == 239
    assert all(any(re.fullmatch(pattern, key) for pattern, _ in OFFICIAL_IGNORED) for key in ignored)


def test_the_fused_map_equals_the_official_one(prior: DepthPrior, golden_dir: Path) -> None:
    golden = np.load(golden_dir / "depth_anything_vitb_small.npz")
    with torch.no_grad():
        found = prior.head(prior.transformer(torch.from_numpy(golden["x"])))
    assert found.shape == (1, 128, 40, 72)
    torch.testing.assert_close(found[:, :, ::2, ::3], torch.from_numpy(golden["path1"]), rtol=1e-5, atol=1e-5)


@pytest.mark.timeout(900)
def test_the_extracted_features_equal_the_official_ones(prior: DepthPrior, golden_dir: Path) -> None:
    golden = np.load(golden_dir / "depth_anything_extractor.npz")
    stages: dict[str, torch.Tensor] = {}

    def keep_input(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        stages["preproc_sub"] = args[0][:, :, ::37, ::65]

    def keep_output(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        stages["path1_sub"] = output[:, :, ::16, ::26]

    hooks = (
        prior.transformer.register_forward_pre_hook(keep_input),
        prior.head.register_forward_hook(keep_output),
    )
    features = prior(torch.from_numpy(golden["img"]))
    for hook in hooks:
        hook.remove()
    stages["feat"] = features[:, :, ::3, ::4]
    expected = {name: torch.from_numpy(golden[name]) for name in stages}
    torch.testing.assert_close(stages, expected, rtol=1e-5, atol=1e-5)
    assert float(features.abs().mean()) == pytest.approx(float(golden["feat_abs_mean"]), rel=1e-5)
