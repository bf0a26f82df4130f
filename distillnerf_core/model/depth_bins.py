"""Edges of the depth intervals along a ray."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.contraction import contract, expand


class DepthBinsConfig(Config):
    """Depth intervals along a ray, metres.

    Attributes:
        spacing: `log`: edges in geometric progression. `contracted`: uniform steps near, then uniform steps in
            contracted depth (the published network).
        near_m: First edge.
        far_m: Last edge (`log`), or bound of the last edge (`contracted`).
        count: Number of intervals; `log` only.
        inner_m: End of the uniform part; `contracted` only.
        step_m: Uniform step; `contracted` only.
        ratio: Share of contracted depth that the uniform part takes; `contracted` only.
    """

    spacing: Literal["log", "contracted"] = "log"
    near_m: float = 0.6
    far_m: float = 120.0
    count: int = 64
    inner_m: float = 50.0
    step_m: float = 0.2
    ratio: float = 0.8


def depth_edges(config: DepthBinsConfig) -> Float[Tensor, " edges"]:
    """Returns the increasing edges of the intervals, metres (distance along the unit ray)."""
    if config.spacing == "log":
        ends = torch.tensor([config.near_m, config.far_m]).log()
        return torch.linspace(float(ends[0]), float(ends[1]), config.count + 1).exp()
    inner = torch.arange(config.near_m, config.inner_m, config.step_m)
    steps = contract(torch.tensor([config.step_m, config.far_m]), config.inner_m, config.ratio)
    outer = torch.arange(config.ratio, float(steps[1]), float(steps[0]))
    if outer.numel() == 0:
        outer = torch.tensor([config.ratio])
    return torch.cat((inner, expand(outer, config.inner_m, config.ratio)))
