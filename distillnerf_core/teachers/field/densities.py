"""Density of a logit (section 3.3)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_SHIFT = 1.0
_LARGEST_EXPONENT = 15.0


def density_of_logit(logit: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns exp(logit - 1) in 1/m; its gradient is bounded by exp(15), so that no opaque point explodes."""
    density: Tensor = _ClampedExponential.apply(logit - _SHIFT)  # type: ignore[no-untyped-call]
    return density


class _ClampedExponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, exponent: Tensor) -> Tensor:
        ctx.save_for_backward(exponent)
        return torch.exp(exponent)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (exponent,) = ctx.saved_tensors
        return gradients[0] * torch.exp(exponent.clamp_max(_LARGEST_EXPONENT))
