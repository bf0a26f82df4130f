"""What the runs of `benchmarks.distillation` learn from, and what they lack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distillnerf_core.configuration import parse_config
from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.training.config import LossWeights

DEPTH = ("depth", "coarse_depth", "intervals", "candidates")
KEY_FRAMES = ("next", "previous")
VIRTUAL = ("left", "right", "up")
ASIDE = ("other_color", "other_depth")
MEANING = ("language",)
PLACES = ("occupancy", "point_language")
NETWORK: Mapping[str, Any] = {
    "image_height": 48,
    "image_width": 88,
    "feature_channels": 24,
    "encoder": {"widths": (16, 32, 48), "blocks": (1, 1, 2), "output_channels": 32},
    "renderer": {"bins": {"count": 48}, "importance_samples": 12},
    "decoder": {"width": 24, "blocks": 1},
}
"""The architecture of `tiny` at a size at which twenty runs take an hour."""


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

    def architecture(self) -> PredictorConfig:
        """Returns the network."""
        merged = dict(NETWORK)
        for name, value in self.predictor.items():
            merged[name] = {**NETWORK.get(name, {}), **value} if isinstance(value, Mapping) else value
        return parse_config(merged, PredictorConfig)

    @property
    def knows_depth(self) -> bool:
        """Whether it learns distances, so that the depth stages can be trained alone at first."""
        return set(DEPTH) <= set(self.terms)

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
