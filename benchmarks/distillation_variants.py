"""What the runs of `benchmarks.distillation` learn from, and what they lack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distillnerf_core.training.config import LossWeights

DEPTH = ("depth", "coarse_depth", "intervals", "candidates")
KEY_FRAMES = ("next", "previous")
VIRTUAL = ("left", "right", "up")
ASIDE = ("other_color", "other_depth")
MEANING = ("language",)
PLACES = ("occupancy", "point_language")


@dataclass(frozen=True)
class Variant:
    """A recipe.

    Attributes:
        terms: Losses beside colour, opacity and entropy; the others have no weight.
        others: Other views that are learnt from.
        taught: Whether depth comes from the teacher, too; False: from the LiDAR of the sweep alone.
        predictor: What differs in the network.
    """

    terms: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    taught: bool = True
    predictor: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> LossWeights:
        """Returns the usual weight of each term that takes part."""
        taken = {"color", "opacity", "entropy", *self.terms}
        usual = LossWeights().model_dump()
        return LossWeights(**{name: usual[name] if name in taken else 0.0 for name in usual})

    @property
    def knows_classes(self) -> bool:
        """Whether it learns what things are."""
        return bool({"language", "point_language"} & set(self.terms))


_FULL_TERMS = (*DEPTH, *ASIDE, *MEANING, *PLACES)
_ALL_VIEWS = (*KEY_FRAMES, *VIRTUAL)

STEPS: Mapping[str, Variant] = {
    "no distillation": Variant(taught=False),
    "+ LiDAR": Variant(DEPTH, taught=False),
    "+ teacher depth": Variant(DEPTH),
    "+ key-frames": Variant((*DEPTH, *ASIDE), KEY_FRAMES),
    "+ virtual cameras": Variant((*DEPTH, *ASIDE), _ALL_VIEWS),
    "+ features": Variant((*DEPTH, *ASIDE, *MEANING), _ALL_VIEWS),
    "+ 3D points (full)": Variant(_FULL_TERMS, _ALL_VIEWS),
}
"""Each adds to the one before."""

ABLATIONS: Mapping[str, Variant] = {
    "full, one-stage depth": Variant(_FULL_TERMS, _ALL_VIEWS, predictor={"two_stage_depth": False}),
    "full, no coarse complement": Variant(_FULL_TERMS, _ALL_VIEWS, predictor={"voxels": {"coarse_complement": False}}),
    "full, linear decoder": Variant(_FULL_TERMS, _ALL_VIEWS, predictor={"decoder": {"kind": "linear"}}),
    "full, bounded space": Variant(
        _FULL_TERMS, _ALL_VIEWS, predictor={"space": {"inner_m": (51.2, 51.2, 17.0666667), "ratio": 1.0}}
    ),
}
"""Each takes one thing from the last of the steps; voxels of bounded space are as small as those near the vehicle."""

VARIANTS: Mapping[str, Variant] = {**STEPS, **ABLATIONS}
