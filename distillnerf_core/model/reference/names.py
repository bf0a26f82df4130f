"""From the tensor names of published checkpoints to ours (reference network, section 2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from distillnerf_core.model.depth_prior import names as prior
from distillnerf_core.model.depth_prior.names import translate
from distillnerf_core.model.reference import coarse, decoder, feature_head, fine
from distillnerf_core.model.reference.blocks import OfficialNames

PRIOR_PREFIX = prior.OFFICIAL_PREFIX.removeprefix("model.")
OUR_PRIOR_PREFIX = "depth_prior."
VOXEL_PREFIX = "multi_view_pooling_octree_encoder.sparse_voxel_convnet."

VOXEL_NETWORK_NAMES: OfficialNames = (
    (r"init_conv\.0\.conv\.(weight|bias)", r"fine_input.convolution.\1"),
    (r"init_conv\.1\.conv\.(weight|bias)", r"coarse_input.convolution.\1"),
    (r"processing_layers\.([01])\.conv\.(weight|bias)", r"fine_layers.\1.convolution.\2"),
    (r"processing_layers\.([01])\.norm\.(weight|bias)", r"fine_layers.\1.norm.\2"),
    (r"processing_layers\.2\.conv\.(weight|bias)", r"coarse_layers.0.convolution.\1"),
    (r"processing_layers\.2\.norm\.(weight|bias)", r"coarse_layers.0.norm.\1"),
    (r"processing_layers\.3\.conv\.(weight|bias)", r"coarse_layers.1.convolution.\1"),
    (r"processing_layers\.3\.norm\.(weight|bias)", r"coarse_layers.1.norm.\1"),
    (r"downsample_layers\.0\.conv\.(weight|bias)", r"downsample.convolution.\1"),
    (r"output_head\.conv\.(weight|bias)", r"coarse_head.\1"),
)
"""Names of a `SparseVoxelNetwork`, relative to `VOXEL_PREFIX`."""

_KERNEL_VECTORS: OfficialNames = ((r".*\.kernel_vectors", "buffer of kernel offsets; they are constants"),)

IGNORED: OfficialNames = (
    (r"dx|bx|nx", "buffer of a grid that the field does not use"),
    (r"frustum|render_frust", "buffer of pixel positions; they are computed from the cameras"),
    (r"lpips_loss\..*", "LPIPS, a training loss"),
    (r"seg_model\..*", "PointRend, which found the sky for training"),
)
"""Expressions of official names outside the stages, and why no module takes them."""

_NO_DECODER = "colour decoder, which the feature variants carry but do not use"
_WRAPPERS = re.compile(r"(?:module\.|model\.)*")


@dataclass(frozen=True)
class StageNames:
    """What the tensors of one stage are called.

    Attributes:
        official: Prefix in published checkpoints.
        ours: Prefix in `ReferencePredictor`.
        names: Expressions of the rest of an official name, and the rest of ours.
        ignored: Expressions of what the stage does not take, and why.
    """

    official: str
    ours: str
    names: OfficialNames
    ignored: OfficialNames = ()


@dataclass(frozen=True)
class Translation:
    """What becomes of an official tensor; neither is set for a tensor that nobody knows.

    Attributes:
        name: Our name.
        reason: Why the tensor is ignored.
    """

    name: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class NameMap:
    """Translates official names.

    Attributes:
        stages: Stages of the network.
        ignored: Expressions of names outside the stages, and why they are ignored.
    """

    stages: tuple[StageNames, ...]
    ignored: OfficialNames

    def translate(self, key: str) -> Translation:
        """Returns what becomes of a tensor, with or without the prefixes of a wrapper (`model.`, `module.`)."""
        bare = strip_wrappers(key)
        for stage in self.stages:
            if bare.startswith(stage.official):
                rest = bare[len(stage.official) :]
                renamed = translate(rest, stage.names)
                name = None if renamed is None else stage.ours + renamed
                return Translation(name, translate(rest, stage.ignored))
        return Translation(reason=translate(bare, self.ignored))


def reference_names(with_features: bool) -> NameMap:
    """Returns the names of the published network.

    Args:
        with_features: Of the variants with a feature head, which do not use the decoder.
    """
    unused_prior = tuple((pattern, f"depth prior: {reason}") for pattern, reason in prior.OFFICIAL_IGNORED)
    stages = (
        StageNames(PRIOR_PREFIX, OUR_PRIOR_PREFIX, prior.OFFICIAL_NAMES, unused_prior),
        StageNames("coarse_monodepth_estimator.", "coarse_depth.", coarse.OFFICIAL_NAMES),
        StageNames("fine_mono_depth_estimator.", "fine_depth.", fine.OFFICIAL_NAMES),
        StageNames(VOXEL_PREFIX, "voxel_network.", VOXEL_NETWORK_NAMES, _KERNEL_VECTORS),
    )
    if with_features:
        head = StageNames("projector.volume_renderer.", "feature_head.", feature_head.OFFICIAL_NAMES)
        return NameMap((*stages, head, StageNames("decoder.", "", (), ((r".*", _NO_DECODER),))), IGNORED)
    return NameMap((*stages, StageNames("decoder.", "decoder.", decoder.OFFICIAL_NAMES)), IGNORED)


def strip_wrappers(key: str) -> str:
    """Returns an official name without `module.` (data-parallel training) and `model.` (the training wrapper)."""
    return _WRAPPERS.sub("", key, count=1)


def has_depth_prior(keys: Iterable[str]) -> bool:
    """Whether any of these official names is the depth prior's."""
    return any(strip_wrappers(key).startswith(PRIOR_PREFIX) for key in keys)
