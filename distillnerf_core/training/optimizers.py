"""Optimisers of a training run: Muon for convolution kernels, AdamW for everything else."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from distillnerf_core.training.config import OptimizerConfig

_SMALLEST = 16
"""A kernel with fewer inputs or outputs than this has no spectrum worth levelling."""

_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Odd quintic whose iteration moves singular values in (0, 1] to about 1 in five steps (Jordan et al. 2024)."""


class Muon(torch.optim.Optimizer):
    """Momentum whose updates are made orthogonal (Jordan et al. 2024, "Muon").

    All directions of a kernel then move alike, which in short runs learns faster than AdamW. `torch.optim.Muon` takes
    plain matrices only; here kernels are laid out as matrices of [outputs, inputs * taps], or [taps * inputs,
    outputs] where the taps come first, as in sparse convolutions.

    Args:
        params: Kernels.
        lr: Step size; an update has singular values of about this size.
        momentum: Share of the running average that is kept at each step.
        weight_decay: Decoupled weight decay, as a share of `lr`.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Updates every kernel that has a gradient; `closure` is not supported."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self._update(kernel, group)

    def _update(self, kernel: nn.Parameter, group: dict[str, Any]) -> None:
        assert kernel.grad is not None
        state = self.state[kernel]
        average = state.setdefault("average", torch.zeros_like(kernel))
        average.lerp_(kernel.grad, 1.0 - group["momentum"])
        ahead = as_matrix(kernel.grad.lerp(average, group["momentum"]))
        scale = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        kernel.mul_(1.0 - group["lr"] * group["weight_decay"])
        kernel.add_(orthogonalise(ahead).reshape(kernel.shape), alpha=-group["lr"] * scale)


def as_matrix(kernel: Tensor) -> Tensor:
    """Lays a kernel out as a matrix: dense ones have their outputs first, sparse ones (3 dimensions) last."""
    return kernel.flatten(0, 1) if kernel.ndim == 3 else kernel.flatten(1)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Moves all singular values of a matrix near 1 by a Newton-Schulz iteration, in bfloat16: it mends its errors."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / x.norm().clamp_min(1e-7)).bfloat16()
    a, b, c = _POLYNOMIAL
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


def is_kernel(parameter: Tensor) -> bool:
    """True for weights of convolutions with several taps between wide layers."""
    if parameter.ndim == 3:
        return min(parameter.shape[1:]) >= _SMALLEST
    taps = parameter[0, 0].numel() if parameter.ndim > 3 else 1
    return taps > 1 and min(parameter.shape[:2]) >= _SMALLEST


def create_optimizers(module: nn.Module, config: OptimizerConfig) -> tuple[torch.optim.Optimizer, ...]:
    """Distributes the parameters of a module; each group remembers its peak learning rate as `initial_lr`."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    kernels = [parameter for parameter in parameters if config.muon and is_kernel(parameter)]
    chosen = {id(parameter) for parameter in kernels}
    others = [parameter for parameter in parameters if id(parameter) not in chosen]
    adam = torch.optim.AdamW(others, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98))
    optimizers: tuple[torch.optim.Optimizer, ...] = (adam,)
    if kernels:
        optimizers += (Muon(kernels, lr=config.kernel_learning_rate, weight_decay=config.weight_decay),)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers
