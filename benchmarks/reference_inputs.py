"""What the benchmarks of the published network run on: seeded weights and simulated images."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.reference.building import build_predictor, expected_shapes
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import ReferenceConfig
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep

SEED = 100_000
DENSITY_LOGIT = -3.0
"""Bias of the coarse densities: light then travels some 20 m."""


def seeded_predictor(config: ReferenceConfig) -> ReferencePredictor:
    """Returns a predictor with seeded weights."""
    return build_predictor(config, seeded_tensors(config))


def seeded_tensors(config: ReferenceConfig) -> dict[str, Tensor]:
    """Returns random weights that keep the size of activations, by their names in `ReferencePredictor`."""
    generator = torch.Generator().manual_seed(SEED)
    return {name: _seeded(name, shape, generator) for name, shape in expected_shapes(config).items()}


def _seeded(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) < 2:
        value = DENSITY_LOGIT if name == "coarse_depth.density_head.2.bias" else float(not name.endswith("bias"))
        return torch.full(shape, value)
    sparse = name.startswith("voxel_network.")
    inputs = math.prod(shape[:-1] if sparse else shape[1:])
    return torch.randn(shape, generator=generator) / math.sqrt(inputs)


def simulated_frame(config: ReferenceConfig, cameras: int) -> MultiViewFrame:
    """Returns what the first cameras of the simulated rig see, at the variant's size."""
    simulation = SimulationConfig(height=config.image_height, width=config.image_width)
    frame = simulate_sweep(sample_scene(SEED), 0, simulation).frame
    return replace(frame, camera_mask=torch.arange(len(frame.rig)) < cameras).visible()


def smooth_noise(cameras: int, height: int, width: int) -> Tensor:
    """Returns random features, [cameras 128 height width], in place of the depth prior's."""
    noise = torch.randn(cameras, 128, 8, 14, generator=torch.Generator().manual_seed(SEED))
    return nn.functional.interpolate(noise, (height, width), mode="bilinear")
