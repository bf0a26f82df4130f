"""Which variants a published checkpoint may be of, told from the shapes of its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from distillnerf_core.model.reference.names import strip_wrappers
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig

_DEPTH_BINS = "coarse_monodepth_estimator.depthnet.2.weight"
_PIXELS = "frustum"
_FEATURE_HEAD = "projector.volume_renderer."


@dataclass(frozen=True)
class Traits:
    """What tells variants apart.

    Attributes:
        feature_head: Whether there is a feature head.
        depth_bins: Number of depth intervals; None if the tensor is missing.
        input_size: Height and width of the training images; None if the buffer was dropped.
    """

    feature_head: bool
    depth_bins: int | None
    input_size: tuple[int, int] | None

    def fit(self, config: ReferenceConfig) -> bool:
        """Whether a variant has these traits; what is not known fits."""
        return (
            self.feature_head == config.feature_head
            and self.depth_bins in {None, config.depth_bin_count}
            and self.input_size in {None, config.input_size}
        )


def read_traits(state_dict: Mapping[str, Tensor]) -> Traits:
    """Returns the traits of a state dict with official names."""
    shapes = {strip_wrappers(key): tuple(value.shape) for key, value in state_dict.items()}
    bins, pixels = shapes.get(_DEPTH_BINS, ()), shapes.get(_PIXELS, ())
    return Traits(
        feature_head=any(key.startswith(_FEATURE_HEAD) for key in shapes),
        depth_bins=bins[0] if bins else None,
        input_size=(pixels[1], pixels[2]) if len(pixels) == 4 else None,
    )


def fitting_variants(traits: Traits) -> tuple[str, ...]:
    """Returns the names of the variants that have these traits, in the order of `VARIANTS`."""
    return tuple(name for name, config in VARIANTS.items() if traits.fit(config))
