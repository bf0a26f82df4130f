"""The variants of the published network (reference network, section 0)."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.contraction import ContractedSpace
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.model.depth_bins import DepthBinsConfig, depth_edges
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.options import LIDAR_TOP_ORIGIN_M, ModelOptions
from distillnerf_core.model.reference.choices import FOLLOWED, Choice
from distillnerf_core.model.renderer import RendererConfig

NEAR_M, STEP_M, INNER_M = 0.1, 0.2, 50.0
"""First edge of the depth intervals, their length in the inner part, and its end; all variants share them."""


class ReferenceConfig(Config):
    """A variant of the published network.

    Attributes:
        name: Name of the variant.
        cameras: Cameras that it was trained with; any number works.
        image_height: Network input height in pixels.
        image_width: Network input width in pixels.
        render_height: Rows of the render grid; a decoder doubles them.
        render_width: Columns of the render grid.
        original_width: Width in pixels of the data set's own images, which were resized.
        z_inner_m: Half height of the linear part of space; the other two axes share `INNER_M`.
        ratio: Share of contracted space that the linear part takes.
        far_m: Far plane.
        renderer_bin_stride: Factor of the renderer's intervals to the depth stage's.
        feature_head: Renders features of a foundation model instead of colour.
        levels: Octree levels (coarse, fine).
        field_origin_m: Origin of the field's frame in the ego frame (x forward, y left, z up, on the ground).
        field_yaw_deg: Heading of the field's x axis in the ego frame, anticlockwise.
        prior: Depth prior.
        choices: Choices of the published network that are followed.
    """

    name: str
    cameras: int = 6
    image_height: int = 128
    image_width: int = 228
    render_height: int = 64
    render_width: int = 114
    original_width: int = 1600
    z_inner_m: float = 6.4
    ratio: float = 0.8
    far_m: float = 120.0
    renderer_bin_stride: int = 1
    feature_head: bool = False
    levels: tuple[int, int] = (7, 9)
    field_origin_m: tuple[float, float, float] = LIDAR_TOP_ORIGIN_M
    field_yaw_deg: float = -90.0
    prior: DepthPriorConfig = DepthPriorConfig()
    choices: tuple[Choice, ...] = FOLLOWED

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.image_height, self.image_width

    @property
    def render_size(self) -> tuple[int, int]:
        """Height and width of the render grid."""
        return self.render_height, self.render_width

    @property
    def space(self) -> ContractedSpace:
        """Contraction of the field's frame."""
        return ContractedSpace(inner_m=(INNER_M, INNER_M, self.z_inner_m), center_m=(0.0, 0.0, 0.0), ratio=self.ratio)

    @property
    def depth_bins(self) -> DepthBinsConfig:
        """Intervals of the first depth stage."""
        return self._bins(STEP_M)

    @property
    def depth_bin_count(self) -> int:
        """Number of intervals of the first depth stage."""
        return len(depth_edges(self.depth_bins)) - 1

    @property
    def renderer(self) -> RendererConfig:
        """Sampling along rays: midpoints, then 30 samples 0.1 m apart about the strongest interval's start."""
        return RendererConfig(
            bins=self._bins(STEP_M * self.renderer_bin_stride),
            importance_samples=30,
            importance_step_range_m=(0.1, 0.1),
            importance_from_start=True,
            importance_near_m=0.0,
            negligible=0.0,
        )

    @property
    def empty_first_leaf(self) -> bool:
        """Whether the first voxel of each level holds zeros."""
        return Choice.EMPTY_FIRST_LEAF in self.choices

    @property
    def field_at_lidar(self) -> bool:
        """Whether the field's frame is nuScenes' LIDAR_TOP (y ahead), not the vehicle's."""
        return self.field_yaw_deg != 0.0

    def with_options(self, options: ModelOptions) -> "ReferenceConfig":
        """Returns the variant run as asked for."""
        size = options.prior_size or self.prior.short_side_px
        prior = self.prior.model_copy(update={"short_side_px": size, "precision": options.dtype})
        origin = options.field_origin_m if self.field_at_lidar else self.field_origin_m
        return self.model_copy(update={"prior": prior, "field_origin_m": origin})

    def at_size(self, height: int, width: int) -> "ReferenceConfig":
        """Returns the variant for images of another size, pixels; its parameters are the same."""
        changes = {"image_height": height, "image_width": width}
        changes |= {"render_height": height // 2, "render_width": width // 2}
        return self.model_copy(update=changes)

    def in_field_frame(self) -> "ReferenceConfig":
        """Returns the variant for rigs that are calibrated in the field's frame, nuScenes' LIDAR_TOP, already."""
        return self.model_copy(update={"field_origin_m": (0.0, 0.0, 0.0), "field_yaw_deg": 0.0})

    def field_from_ego(self) -> Float[Tensor, "4 4"]:
        """Returns the rigid transform from the ego frame to the field's frame, metres."""
        cosine, sine = math.cos(math.radians(self.field_yaw_deg)), math.sin(math.radians(self.field_yaw_deg))
        ego_from_field = torch.eye(4)
        ego_from_field[:2, :2] = torch.tensor([[cosine, -sine], [sine, cosine]])
        ego_from_field[:3, 3] = torch.tensor(self.field_origin_m)
        return invert_rigid(ego_from_field)

    def _bins(self, step_m: float) -> DepthBinsConfig:
        return DepthBinsConfig(
            spacing="contracted",
            near_m=NEAR_M,
            far_m=self.far_m,
            inner_m=INNER_M,
            step_m=step_m,
            ratio=self.ratio,
        )


def _variants() -> list[ReferenceConfig]:
    parameterized = ReferenceConfig(name="reference-parameterized")
    linear = _changed(parameterized, "reference-linear", z_inner_m=15.0, ratio=0.999, far_m=50.0)
    large = _changed(
        parameterized,
        "reference-400x224",
        image_height=224,
        image_width=400,
        render_height=112,
        render_width=200,
        renderer_bin_stride=2,
    )
    # Waymo's field lies in the vehicle frame.
    waymo: dict[str, object] = {
        "cameras": 3,
        "image_height": 144,
        "image_width": 216,
        "render_height": 72,
        "render_width": 108,
        "original_width": 1920,
        "field_origin_m": (0.0, 0.0, 0.0),
        "field_yaw_deg": 0.0,
    }
    return [
        linear,
        parameterized,
        large,
        _changed(linear, "reference-clip", feature_head=True),
        _changed(linear, "reference-dino", feature_head=True),
        _changed(large, "reference-400x224-clip", feature_head=True),
        _changed(large, "reference-400x224-dino", feature_head=True),
        _changed(linear, "reference-waymo-linear", **waymo),
        _changed(parameterized, "reference-waymo-parameterized", **waymo),
    ]


def _changed(config: ReferenceConfig, name: str, **changes: object) -> ReferenceConfig:
    return config.model_copy(update={"name": name, **changes})


VARIANTS: Mapping[str, ReferenceConfig] = MappingProxyType({config.name: config for config in _variants()})
"""All variants by name. `clip` and `dino` differ in their training only."""
