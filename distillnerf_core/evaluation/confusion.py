"""Semantic occupancy over a whole data set, as Occ3D-nuScenes counts it: one confusion matrix."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from distillnerf_core.language.classes import CLASS_NAMES, FREE, UNKNOWN

CLASSES = len(CLASS_NAMES)
LEFT_OUT_OF_15 = ("others", "other_flat")
"""Classes that benchmarks without occupancy labels often drop; their mean is then over 15 classes."""
IN_15 = tuple(index for index, name in enumerate(CLASS_NAMES) if name not in LEFT_OUT_OF_15)


@dataclass(frozen=True)
class OccupancyScores:
    """What a confusion matrix says.

    Attributes:
        class_iou: TP / (TP + FP + FN) of each of the 17 classes, NaN for a class that neither side has.
        miou_17: Mean over the classes that are not NaN, as the published evaluation takes it.
        miou_15: The same without `others` and `other_flat`.
        iou: Of occupied against free, whatever the class.
        voxels: Number of voxels compared.
    """

    class_iou: Float[Tensor, " classes"]
    miou_17: float
    miou_15: float
    iou: float
    voxels: int


@dataclass
class OccupancyConfusion:
    """Counts of voxels by true and predicted class, which add up over frames.

    Attributes:
        counts: Rows are true classes, columns predicted ones; the last of both is free.
    """

    counts: Int64[Tensor, "truth predicted"] = field(
        default_factory=lambda: torch.zeros(CLASSES + 1, CLASSES + 1, dtype=torch.int64)
    )

    def add(
        self,
        predicted: Shaped[Tensor, "*grid"],
        truth: Shaped[Tensor, "*grid"],
        mask: Bool[Tensor, "*grid"] | None = None,
    ) -> None:
        """Counts the voxels of a frame.

        Args:
            predicted: Labels 0..16; 17 and 255 count as free.
            truth: Labels 0..16, 17 free; voxels of 255 are left out.
            mask: Where to compare, such as Occ3D's camera mask; None: everywhere.
        """
        self.counts += count_voxels(predicted, truth, mask).cpu()

    def merge(self, other: "OccupancyConfusion") -> None:
        """Takes in the counts of other frames."""
        self.counts += other.counts

    def compute(self) -> OccupancyScores:
        """Returns the scores of everything counted so far."""
        counts = self.counts.double()
        both = counts.diagonal()
        iou = (both / (counts.sum(dim=0) + counts.sum(dim=1) - both))[:CLASSES]
        solid = counts[:CLASSES, :CLASSES].sum()
        union = counts.sum() - counts[CLASSES, CLASSES]
        return OccupancyScores(
            class_iou=iou,
            miou_17=float(iou.nanmean()),
            miou_15=float(iou[list(IN_15)].nanmean()),
            iou=float(solid / union) if union > 0 else math.nan,
            voxels=int(counts.sum()),
        )


def count_voxels(
    predicted: Shaped[Tensor, "*grid"],
    truth: Shaped[Tensor, "*grid"],
    mask: Bool[Tensor, "*grid"] | None = None,
) -> Int64[Tensor, "truth predicted"]:
    """Counts the voxels of a frame by true and predicted class, the last of both being free.

    Args:
        predicted: Labels 0..16; 17 and 255 count as free.
        truth: Labels 0..16, 17 free; voxels of 255 are left out.
        mask: Where to compare; None: everywhere.
    """
    known = truth != UNKNOWN if mask is None else mask & (truth != UNKNOWN)
    rows, columns = truth[known].long().clamp_max(FREE), predicted[known].long().clamp_max(FREE)
    size = CLASSES + 1
    return torch.bincount(rows * size + columns, minlength=size**2).view(size, size)
