"""Features as bytes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from distillnerf_core.errors import DataError

_LEVELS = 255


@dataclass(frozen=True)
class QuantisedFeatures:
    """Features of one image, each channel in 256 even steps between its least and greatest value.

    A restored number is within half a step of the original, (upper - lower) / 510, plus what rounding in
    float32 adds: 2^-21 of the largest magnitude in the channel, and 2^-126, the smallest normal number. See
    :meth:`error_bound`.

    Attributes:
        codes: Step of each number.
        lower: Value of step 0.
        upper: Value of step 255.
        valid: True where a cell is known.
    """

    codes: UInt8[Tensor, "channels rows columns"]
    lower: Float[Tensor, " channels"]
    upper: Float[Tensor, " channels"]
    valid: Bool[Tensor, "rows columns"]

    def restore(self) -> Float[Tensor, "channels rows columns"]:
        """Returns the features; cells that are not known hold some value."""
        step = (self.upper - self.lower) / _LEVELS
        return self.codes.float() * step[:, None, None] + self.lower[:, None, None]

    def error_bound(self) -> Float[Tensor, " channels"]:
        """Returns the most by which a restored number of each channel differs from the original."""
        largest = torch.maximum(self.lower.abs(), self.upper.abs())
        return (self.upper - self.lower) / (2 * _LEVELS) + largest * 2.0**-21 + torch.finfo(torch.float32).tiny


def quantise(
    features: Float[Tensor, "channels rows columns"], valid: Bool[Tensor, "rows columns"] | None = None
) -> QuantisedFeatures:
    """Quantises the features of an image; cells with NaN are not known.

    Args:
        features: The features.
        valid: Which cells are known; None: all without NaN.

    Raises:
        DataError: If a feature is infinite.
    """
    values = features.detach().float().cpu()
    known = ~values.isnan().any(dim=0)
    if valid is not None:
        known &= valid.cpu()
    if values[:, known].isinf().any():
        raise DataError("a feature is infinite: the model's weights or the image are damaged")
    flat = values[:, known] if bool(known.any()) else values.new_zeros(len(values), 1)
    lower, upper = flat.amin(dim=1), flat.amax(dim=1)
    spread = upper.double() - lower.double()
    scale = torch.where(spread > 0, _LEVELS / spread, 0.0)
    steps = (values.double() - lower.double()[:, None, None]) * scale[:, None, None]
    codes = steps.masked_fill(~known, 0.0).round().clamp(0, _LEVELS).to(torch.uint8)
    return QuantisedFeatures(codes, lower, upper, known)
