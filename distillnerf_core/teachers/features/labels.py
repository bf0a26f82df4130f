"""Sentence embeddings of class labels as features of pixels."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.teachers.features.patches import SHORT_SIDE_PX, fitted_size
from distillnerf_core.teachers.features.teacher import ImageBatch

Labeller = Callable[[Float[Tensor, "images 3 height width"]], UInt8[Tensor, "images height width"]]
"""A detector or segmenter: RGB in [0, 1] to classes as in :class:`ImageBatch`."""
DEFAULT_STRIDE_PX = 14
LABELS = "labels"
"""Name of the teacher."""


class LabelTeacher:
    """Gives every cell the feature of its class, which the networks of this package are trained with.

    A cell has the class of most of its pixels, among those whose class is known; NaN where none is.

    Args:
        codec: Features of the 17 Occ3D classes and, last, the sky.
        stride_px: Size of a cell.
        short_side_px: Shorter side of the working image.
        labeller: Finds the classes; None: they come with the batch, such as ground truth.
    """

    name = LABELS
    reads_labels = True

    def __init__(
        self,
        codec: FeatureCodec,
        stride_px: int = DEFAULT_STRIDE_PX,
        short_side_px: int = SHORT_SIDE_PX,
        labeller: Labeller | None = None,
    ) -> None:
        self._codec = codec
        self._stride_px = stride_px
        self._short_side_px = short_side_px
        self._labeller = labeller

    @property
    def channels(self) -> int:
        """Channels of the codec."""
        return self._codec.channels

    @property
    def margin_px(self) -> float:
        """Cells lie side by side."""
        return 0.0

    @property
    def description(self) -> Mapping[str, str]:
        """See :attr:`FeatureTeacher.description`."""
        return {
            "model": self._codec.encoder_name,
            "classes": " ".join(self._codec.class_names),
            "labels": "given" if self._labeller is None else "found",
            "stride_px": str(self._stride_px),
            "short_side_px": str(self._short_side_px),
        }

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """See :meth:`FeatureTeacher.working_size`."""
        return fitted_size(height, width, self._short_side_px, self._stride_px, self._stride_px)

    def features(self, batch: ImageBatch) -> Float[Tensor, "images channels rows columns"]:
        """Returns the unit feature of each cell's class.

        Raises:
            DataError: If there are no labels.
        """
        labels = self._labeller(batch.images) if self._labeller is not None else batch.labels
        if labels is None:
            raise DataError(
                "the teacher of labels needs the classes of pixels, and this source has none: give images of labels"
            )
        classes = self._codec.class_features
        votes = torch.stack(
            [F.avg_pool2d((labels == number).float(), self._stride_px) for number in range(len(classes))], dim=1
        )
        most, winner = votes.max(dim=1)
        unknown = (most == 0)[:, None]
        return classes[winner].permute(0, 3, 1, 2).masked_fill(unknown, torch.nan)

    def to(self, device: torch.device | str) -> "LabelTeacher":
        """Moves the features to a device."""
        return LabelTeacher(self._codec.to(device), self._stride_px, self._short_side_px, self._labeller)
