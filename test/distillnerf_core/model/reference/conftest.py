"""Seeded weights under their official names, and comparison with what the published network made of them."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distillnerf_core.geometry.cameras import CameraRig, scale_intrinsics
from distillnerf_core.model.depth_bins import DepthBinsConfig
from distillnerf_core.model.depth_prior.names import translate
from distillnerf_core.model.reference import coarse
from distillnerf_core.model.reference.blocks import OfficialNames
from distillnerf_core.model.reference.coarse import CoarseDepthStage, CoarseEstimate


@pytest.fixture(scope="session")
def seeded_tensors(shared_dir: Path, golden_dir: Path) -> Callable[[str], dict[str, Tensor]]:
    """Returns the parameters whose official keys start with a prefix, named by the rest of their keys."""
    recipe_path = golden_dir / "recipe.py"
    listing = shared_dir / "spec" / "state_dict" / "state_dict_linearspace_clip_dino.tsv"
    if not (recipe_path.is_file() and listing.is_file()):
        pytest.skip("no weight recipe or tensor listing in ../shared")
    spec = importlib.util.spec_from_file_location("golden_recipe", recipe_path)
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    rows = [line.split("\t") for line in listing.read_text().splitlines()[1:]]

    def tensors(prefix: str) -> dict[str, Tensor]:
        return {
            key[len(prefix) :]: torch.from_numpy(recipe.tensor_for(key, tuple(map(int, shape.split("x")))))
            for key, shape, _, kind, _ in rows
            if kind != "buffer" and key.startswith(prefix)
        }

    return tensors


@pytest.fixture(scope="session")
def load_official() -> Callable[[nn.Module, Mapping[str, Tensor], OfficialNames], None]:
    """Loads tensors by official names; none may be left over, missing, or claimed twice."""

    def load(module: nn.Module, tensors: Mapping[str, Tensor], names: OfficialNames) -> None:
        assert tensors
        renamed = {key: translate(key, names) for key in tensors}
        assert None not in renamed.values()
        assert len(set(renamed.values())) == len(renamed)
        module.load_state_dict({str(renamed[key]): tensor for key, tensor in tensors.items()}, strict=True)

    return load


@pytest.fixture(scope="session")
def assert_golden() -> Callable[..., None]:
    """Compares element by element: 1e-5 of the element, and a share (1e-6) of the largest for those near zero."""

    def compare(actual: Tensor, expected: NDArray[np.float32], share: float = 1e-6) -> None:
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-5, atol=share * scale)

    return compare


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As many threads as wrote the golden files.

    Normalising the 3 x 4 pixels of the smallest maps amplifies rounding some hundred times, and how sums are split
    among threads decides how they are rounded: in double precision the same network is 7e-4 m off the golden depth.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden_inputs(golden_dir: Path) -> dict[str, Tensor]:
    """What the golden files were made from: images of 36 x 64, calibration, features of the depth prior.

    The features are stored in half precision; the published network was given the rounded ones, too.
    """
    with np.load(golden_dir / "cameras_inputs.npz") as archive:
        return {name: torch.from_numpy(archive[name]).float() for name in archive.files}


@pytest.fixture(scope="session")
def golden_rig(golden_inputs: dict[str, Tensor]) -> CameraRig:
    """The golden cameras in our convention: pixel centres at integer + 0.5, the LiDAR frame as the ego frame."""
    height, width = golden_inputs["imgs"].shape[-2:]
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[:, :3, :3], poses[:, :3, 3] = golden_inputs["rots"][0], golden_inputs["trans"][0]
    intrinsics = golden_inputs["intrins"][0].clone()
    intrinsics[:, :2, 2] += 0.5
    return CameraRig(("a", "b"), scale_intrinsics(intrinsics, width / 1600, height / 900), poses, height, width)


@pytest.fixture(scope="session")
def golden_images(golden_inputs: dict[str, Tensor]) -> Tensor:
    """Images [2 3 36 64] that the golden files were made from."""
    return golden_inputs["imgs"][0]


@pytest.fixture
def golden_coarse_stage(
    seeded_tensors: Callable[[str], dict[str, Tensor]],
    load_official: Callable[[nn.Module, Mapping[str, Tensor], OfficialNames], None],
) -> CoarseDepthStage:
    """The first stage of the linear variant, with seeded weights."""
    bins = DepthBinsConfig(spacing="contracted", near_m=0.1, far_m=50.0, inner_m=50.0, step_m=0.2, ratio=0.999)
    stage = CoarseDepthStage(bins)
    load_official(stage, seeded_tensors("model.coarse_monodepth_estimator."), coarse.OFFICIAL_NAMES)
    return stage.requires_grad_(False)


@pytest.fixture
def golden_coarse(
    golden_dir: Path, golden_images: Tensor, golden_coarse_stage: CoarseDepthStage, two_threads: None
) -> CoarseEstimate:
    """What the first stage makes of the images."""
    # Stored in half precision; the published network was given the rounded features, too.
    prior = torch.from_numpy(np.load(golden_dir / "cameras_inputs.npz")["depthanything_feat"]).float()
    estimate: CoarseEstimate = golden_coarse_stage(golden_images, prior)
    return estimate
