"""Configuration of the perception outputs; ROS parameters are declared from these types."""

import math

from pydantic import Field, field_validator

from distillnerf_core.configuration import Config
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.prompts import GENERIC_NEGATIVES


class DepthConfig(Config):
    """Rendered images."""

    scale: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Size of depth and semantic images as a share of the network's input size",
    )
    max_range_m: float = Field(default=60.0, gt=0, description="Depths beyond this are reported as +Inf, metres")
    min_opacity: float = Field(
        default=0.35, ge=0, le=1, description="Pixels whose ray is less opaque are reported as +Inf (sky)"
    )


class OccupancyConfig(Config):
    """The metric grid of semantic occupancy."""

    range: tuple[float, float, float, float, float, float] = Field(
        default=(-40.0, -40.0, -1.0, 40.0, 40.0, 5.4),
        description="Bounds in the base frame, metres: x, y, z of the lower and then of the upper corner",
    )
    voxel_size_m: float = Field(default=0.4, gt=0, description="Edge length of a voxel, metres")
    density_threshold: float = Field(default=1.2, gt=0, description="Voxels denser than this are occupied, 1/m")
    vertical_samples: int = Field(
        default=3,
        ge=1,
        le=8,
        description="Heights at which the field is sampled in each voxel; the densest counts",
    )
    mark_unknown: bool = Field(
        default=True, description="Label voxels that no camera looks into 255 (unknown) instead of free"
    )

    @field_validator("range")
    @classmethod
    def _ordered(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(low < high for low, high in zip(value[:3], value[3:], strict=True)):
            raise ValueError(f"expected lower corner below upper corner on every axis, got {list(value)}")
        return value

    def grid(self) -> VoxelGrid:
        """Returns the grid; the upper corner is rounded to whole voxels."""
        x, y, z = (
            max(1, math.floor((high - low) / self.voxel_size_m + 0.5))
            for low, high in zip(self.range[:3], self.range[3:], strict=True)
        )
        return VoxelGrid(self.range[:3], self.voxel_size_m, (x, y, z))


class QueryConfig(Config):
    """Answers to texts."""

    threshold: float = Field(default=0.4, ge=0, le=1, description="Voxels scoring at least this belong to an answer")
    temperature: float = Field(
        default=0.0,
        ge=0,
        description="Softmax temperature of scores; 0: the network's own, 0.1 or, of the published one, 0.001",
    )
    negatives: tuple[str, ...] = Field(
        default=GENERIC_NEGATIVES,
        description="Words an answer must beat, beside the classes that are no synonym of it, where a question names "
        "no negatives; published network: and where it has one text only",
    )
    min_region_voxels: int = Field(default=2, ge=1, description="Smaller connected regions are not reported")
    max_regions: int = Field(default=64, ge=1, description="Most regions reported for a text, best first")
    max_keep: int = Field(
        default=8, ge=0, le=64, description="Most queries that are kept, that is, answered again on every frame"
    )
    max_texts: int = Field(default=32, ge=1, le=1024, description="Most texts and negatives of a request together")
    max_text_length: int = Field(default=128, ge=1, le=4096, description="Most characters of a text of a request")


class RenderConfig(Config):
    """Views from cameras that are not there."""

    max_pixels: int = Field(
        default=250_000, ge=1, le=20_000_000, description="Largest image that is rendered on request, pixels"
    )
    max_rays: int = Field(
        default=20_000,
        ge=100,
        le=20_000_000,
        description="Most rays of such an image; a larger one is rendered with as many and enlarged, so that a request "
        "does not hold up the frames",
    )


class PerceptionConfig(Config):
    """All perception outputs."""

    depth: DepthConfig = DepthConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    query: QueryConfig = QueryConfig()
    render: RenderConfig = RenderConfig()
