"""Figures of merit as pure functions: depth, images, occupancy, retrieval."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import avg_pool2d

from distillnerf_core.evaluation.confusion import CLASSES, count_voxels


@dataclass(frozen=True)
class DepthErrors:
    """Errors of a depth estimate (reference network, section 4.7; no median scaling).

    Attributes:
        abs_rel: Mean of |p - g| / g.
        sq_rel: Mean of (p - g)^2 / g, metres.
        rmse: Root mean square error, metres.
        rmse_log: Root mean square error of the natural logarithm.
        delta1: Share of pixels with max(p / g, g / p) < 1.25.
        delta2: The same below 1.25^2.
        delta3: The same below 1.25^3.
        count: Number of pixels compared.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta1: float
    delta2: float
    delta3: float
    count: int


def depth_errors(
    predicted_m: Float[Tensor, "*shape"],
    truth_m: Float[Tensor, "*shape"],
    max_m: float = 80.0,
    min_m: float = 1e-3,
) -> DepthErrors:
    """Compares depths where the truth lies between the limits; predictions are clipped to them.

    Args:
        predicted_m: Estimate; +inf counts as `max_m`.
        truth_m: Truth; NaN and +inf are left out.
        max_m: Upper limit, metres.
        min_m: Lower limit, metres.

    Returns:
        The errors; all NaN if nothing can be compared.
    """
    valid = (truth_m > min_m) & (truth_m < max_m) & ~predicted_m.isnan()
    truth, predicted = truth_m[valid].double(), predicted_m[valid].double().clamp(min_m, max_m)
    ratio = torch.maximum(predicted / truth, truth / predicted)
    difference = predicted - truth
    return DepthErrors(
        abs_rel=_mean(difference.abs() / truth),
        sq_rel=_mean(difference.square() / truth),
        rmse=math.sqrt(_mean(difference.square())),
        rmse_log=math.sqrt(_mean((predicted.log() - truth.log()).square())),
        delta1=_mean(ratio < 1.25),
        delta2=_mean(ratio < 1.25**2),
        delta3=_mean(ratio < 1.25**3),
        count=int(valid.sum()),
    )


def psnr(predicted: Float[Tensor, "*shape"], truth: Float[Tensor, "*shape"]) -> float:
    """Returns the peak signal-to-noise ratio in dB of values in [0, 1]: -10 log10(MSE); +inf if equal."""
    error = float((predicted.double() - truth.double()).square().mean())
    return math.inf if error == 0 else -10.0 * math.log10(error)


def ssim(
    predicted: Float[Tensor, "images channels height width"],
    truth: Float[Tensor, "images channels height width"],
    window: int = 7,
) -> float:
    """Returns the mean of :func:`ssim_map`, computed in float64."""
    return float(ssim_map(predicted.double(), truth.double(), window).mean())


def ssim_map(
    x: Float[Tensor, "images channels height width"], y: Float[Tensor, "images channels height width"], window: int = 7
) -> Float[Tensor, "images channels rows columns"]:
    """Returns the structural similarity of values in [0, 1] at each window; differentiable.

    Uniform window and unbiased variances, as the default of scikit-image; the border that no whole window covers is
    left out. Images must be at least as large as the window.
    """
    unbiased = window**2 / (window**2 - 1)

    def mean(image: Tensor) -> Tensor:
        """Averages over every whole window."""
        return avg_pool2d(image, window, stride=1)

    mean_x, mean_y = mean(x), mean(y)
    variance_x = unbiased * (mean(x * x) - mean_x**2)
    variance_y = unbiased * (mean(y * y) - mean_y**2)
    covariance = unbiased * (mean(x * y) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return value / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))


@dataclass(frozen=True)
class OccupancyCounts:
    """Voxel counts that add up over scenes.

    Attributes:
        intersection: For each class and, last, for occupied as such: voxels that both have.
        predicted: Voxels that the prediction has.
        truth: Voxels that the truth has.
    """

    intersection: Int[Tensor, " classes_and_occupied"]
    predicted: Int[Tensor, " classes_and_occupied"]
    truth: Int[Tensor, " classes_and_occupied"]

    def __add__(self, other: "OccupancyCounts") -> "OccupancyCounts":
        """Returns the counts of both together."""
        return OccupancyCounts(
            self.intersection + other.intersection,
            self.predicted + other.predicted,
            self.truth + other.truth,
        )

    def class_iou(self) -> Float[Tensor, " classes"]:
        """Returns the IoU of each class; NaN where the truth has no such voxel."""
        return self._iou()[:-1]

    def iou(self) -> float:
        """Returns the IoU of occupied against free."""
        return float(self._iou()[-1])

    def miou(self) -> float:
        """Returns the mean IoU over the classes present in the truth."""
        return float(self.class_iou().nanmean())

    def _iou(self) -> Tensor:
        union = self.predicted + self.truth - self.intersection
        iou = self.intersection.double() / union.clamp_min(1)
        return iou.masked_fill(self.truth == 0, math.nan)


def occupancy_counts(
    predicted: Shaped[Tensor, "*grid"],
    truth: Shaped[Tensor, "*grid"],
    mask: Bool[Tensor, "*grid"] | None = None,
) -> OccupancyCounts:
    """Counts voxels by class.

    Args:
        predicted: Labels 0..16; 17 and 255 count as free.
        truth: Labels 0..16, 17 free; voxels of 255 are left out.
        mask: Where to compare; None: everywhere.
    """
    table = count_voxels(predicted, truth, mask)
    solid = table[:CLASSES, :CLASSES]
    return OccupancyCounts(
        intersection=torch.cat((solid.diagonal(), solid.sum()[None])),
        predicted=torch.cat((table[:, :CLASSES].sum(dim=0), table[:, :CLASSES].sum()[None])),
        truth=torch.cat((table[:CLASSES].sum(dim=1), table[:CLASSES].sum()[None])),
    )


def average_precision(scores: Float[Tensor, " samples"], positive: Bool[Tensor, " samples"]) -> float:
    """Returns the average precision: sum over recall steps of (R_n - R_{n-1}) P_n, ties taken together.

    A random order gives the share of positives. NaN if there are none.
    """
    total = int(positive.sum())
    if total == 0:
        return math.nan
    ordered, order = scores.sort(descending=True, stable=True)
    hits = positive[order].double().cumsum(dim=0)
    last_of_tie = torch.ones_like(positive)
    last_of_tie[:-1] = ordered[1:] != ordered[:-1]
    hits_at = hits[last_of_tie]
    precision = hits_at / (last_of_tie.nonzero()[:, 0] + 1)
    gained = torch.diff(hits_at, prepend=hits_at.new_zeros(1))
    return float((gained * precision).sum() / total)


def _mean(values: Shaped[Tensor, " samples"]) -> float:
    return float(values.double().mean())
