"""The asphalt and its markings."""

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.simulation.layout import StreetLayout
from distillnerf_core.simulation.noise import band, faded, pulse, value_noise

_LINE_M = 0.075
"""Half width of a painted line."""


def road_albedo(
    layout: StreetLayout,
    tone: float,
    point_m: Float[Tensor, "points 3"],
    footprint_m: Float[Tensor, " points"],
) -> Float[Tensor, "points 3"]:
    """Returns the colour of points on the road plane, RGB in [0, 1]."""
    x, y = point_m[:, 0], point_m[:, 1]
    patch = faded(value_noise(x * 0.12, y * 0.5), 4.0, footprint_m)
    grain = faded(value_noise(x * 5.0, y * 5.0), 0.2, footprint_m)
    asphalt = tone * (0.88 + 0.2 * patch + 0.12 * (grain - 0.5))
    tint = point_m.new_tensor((1.0, 1.0, 1.03))
    base = asphalt[:, None] * tint
    white, yellow = _paint(layout, x, y, footprint_m)
    worn = 0.78 + 0.2 * patch
    base = base + (point_m.new_tensor((0.90, 0.90, 0.88)) - base) * (white * worn)[:, None]
    return base + (point_m.new_tensor((0.86, 0.66, 0.18)) - base) * (yellow * worn)[:, None]


def _paint(layout: StreetLayout, x: Tensor, y: Tensor, footprint: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how much of each pixel is white and how much is yellow paint."""
    away = y.abs()
    dashes = pulse(x / 9.0, 0.34, footprint / 9.0)
    white = torch.zeros_like(x)
    for lane in range(1, layout.lanes):
        white = torch.maximum(white, dashes * _line(away, layout.median / 2 + lane * layout.lane_width, footprint))
    if layout.parking > 0:
        bays = pulse(x / 6.0, 0.6, footprint / 6.0)
        white = torch.maximum(white, bays * _line(away, layout.road_half - layout.parking, footprint))
    else:
        white = torch.maximum(white, _line(away, layout.road_half - 0.3, footprint))
    middle = layout.median / 2 + 0.2 if layout.median > 0 else 0.14
    yellow = _line(away, middle, footprint)
    if layout.crossing_x is None:
        return white, yellow
    keep = 1.0 - band(x - layout.crossing_x, -layout.crossing_half - 4.2, layout.crossing_half + 4.2, footprint)
    return torch.maximum(white * keep, _crossing_paint(layout, x - layout.crossing_x, y, footprint)), yellow * keep


def _crossing_paint(layout: StreetLayout, x: Tensor, y: Tensor, footprint: Tensor) -> Tensor:
    """Returns white paint of zebra crossings over both streets, stop lines and the crossing street's middle."""
    along, away = x.abs(), y.abs()
    half, kerb = layout.crossing_half, layout.road_half
    on_road = band(away, -1.0, kerb - 0.2, footprint)
    zebra = band(along, half + 0.6, half + 2.8, footprint) * pulse(y / 1.1, 0.5, footprint / 1.1) * on_road
    stop = band(along, half + 3.4, half + 3.8, footprint) * band(x * y * layout.side, -1e6, 0.0, footprint) * on_road
    on_cross = band(along, -1.0, half - 0.2, footprint)
    second = band(away, kerb + 0.6, kerb + 2.8, footprint) * pulse(x / 1.1, 0.5, footprint / 1.1) * on_cross
    middle = _line(along, 0.0, footprint) * band(away, kerb + 4.0, 1e6, footprint)
    return torch.stack((zebra, stop, second, middle * pulse(y / 6.0, 0.5, footprint / 6.0))).amax(dim=0)


def _line(x: Tensor, at: float, footprint: Tensor) -> Tensor:
    return band(x, at - _LINE_M, at + _LINE_M, footprint)
