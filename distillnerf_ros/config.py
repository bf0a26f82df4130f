"""Configuration of the node; its ROS parameters are declared from these types. Imports torch through the core."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from distillnerf_core.configuration import Config
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.perception.config import (
    DepthConfig,
    OccupancyConfig,
    PerceptionConfig,
    QueryConfig,
    RenderConfig,
)
from distillnerf_core.perception.obstacle_map import ObstacleMapConfig
from distillnerf_core.streams.stream_config import InputOptions, MotionConfig, StreamConfig, TransformConfig
from distillnerf_core.streams.synchroniser import SynchroniserConfig


class InputConfig(InputOptions):
    """Where the images come from."""

    image_transport: Literal["auto", "raw", "compressed"] = Field(
        default="auto", description="Type of the image topics; auto: as published, else by the topic's name"
    )
    reliability: Literal["best_effort", "reliable"] = Field(
        default="best_effort",
        description="Reliability of the image subscriptions; best_effort receives from both kinds",
    )


class TfConfig(MotionConfig, TransformConfig):
    """Frames, transforms and motion compensation."""

    output_frame: str = Field(
        default="", description="Frame of the topics ~/occupancy/*, such as map or odom; empty: the base frame"
    )


class ModelConfig(ModelOptions):
    """The network and how it runs."""

    checkpoint: str = Field(default="", description="Path of a checkpoint; empty: the one that ships with the package")
    device: str = Field(default="auto", description="cpu, cuda, cuda:1 ...; auto: the GPU if there is one")
    warmup: bool = Field(
        default=False,
        description="Perceive a blank frame when activated, so that the first real one is as fast as the others",
    )
    max_rate_hz: float = Field(
        default=0.0, ge=0, le=1000, description="Most frames perceived a second; 0: as many as the device allows"
    )


class NodeDepthConfig(DepthConfig):
    """Depth images and whether they are published."""

    enable: bool = Field(default=True, description="Publish depth images where somebody subscribes")


class MarkerConfig(Config):
    """Occupancy as markers, which RViz draws slowly; the point cloud is the fast display."""

    enable: bool = Field(default=False, description="Publish ~/occupancy/markers")
    max_cubes: int = Field(
        default=20_000, ge=1, le=200_000, description="Most cubes, the nearest ones; RViz stalls beyond"
    )


class NodeOccupancyConfig(OccupancyConfig):
    """Occupancy and its display."""

    markers: MarkerConfig = MarkerConfig()
    map: ObstacleMapConfig = ObstacleMapConfig()


class SaveConfig(Config):
    """Frames in files."""

    folder: str = Field(
        default="~/distillnerf_frames", min_length=1, description="Where save_frame makes its folders, one a frame"
    )


class CacheConfig(Config):
    """How long results are answers."""

    frames: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Frames to remember; query_point and render_view answer from the one nearest to the stamp of "
        "their point or pose. Takes effect when the node is activated again; each takes some tens of MiB",
    )

    max_age_s: float = Field(
        default=5.0, gt=0, le=3600, description="Queries to an older frame are answered with status STALE"
    )


class DiagnosticsConfig(Config):
    """When diagnostics warn."""

    max_latency_ms: float = Field(
        default=1000.0, gt=0, le=60_000, description="Warn where a frame takes longer from last image to messages"
    )
    max_consecutive_delay_ms: float = Field(
        default=10_000.0,
        gt=0,
        le=600_000,
        description="Where every frame has taken longer than max_latency_ms for this long, the warning is an error",
    )
    max_image_gap_s: float = Field(
        default=2.0, gt=0, le=60, description="Report a camera as silent after this time without an image"
    )


LIVE_SECTIONS = ("depth", "occupancy", "query", "render", "save", "cache", "diagnostics")
"""Parameters that take effect from the next frame on."""


class NodeConfig(Config):
    """All parameters of the node."""

    auto_activate: bool = Field(
        default=False, description="Configure and activate at start, where no launch file or manager does"
    )
    cameras: tuple[str, ...] = Field(
        default=(), description="Cameras to use, by the layout's names, such as CAM_FRONT; none: all of the layout"
    )
    input: InputConfig = InputConfig()
    sync: SynchroniserConfig = SynchroniserConfig()
    tf: TfConfig = TfConfig()
    model: ModelConfig = ModelConfig()
    depth: NodeDepthConfig = NodeDepthConfig()
    occupancy: NodeOccupancyConfig = NodeOccupancyConfig()
    query: QueryConfig = QueryConfig()
    render: RenderConfig = RenderConfig()
    save: SaveConfig = SaveConfig()
    cache: CacheConfig = CacheConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()

    def with_changes(self, wanted: "NodeConfig") -> tuple["NodeConfig", list[str]]:
        """Returns this configuration with the sections of `wanted` that take effect at once, and the others' names."""
        changed = [name for name in NodeConfig.model_fields if getattr(self, name) != getattr(wanted, name)]
        live = {name: getattr(wanted, name) for name in changed if name in LIVE_SECTIONS}
        return self.model_copy(update=live), [name for name in changed if name not in LIVE_SECTIONS]

    def stream_config(self) -> StreamConfig:
        """Returns the configuration of the way from messages to frames."""
        motion = {name: getattr(self.tf, name) for name in MotionConfig.model_fields}
        transforms = {name: getattr(self.tf, name) for name in TransformConfig.model_fields}
        return StreamConfig(
            **{name: getattr(self.input, name) for name in InputOptions.model_fields},
            cameras=self.cameras,
            synchroniser=self.sync,
            transforms=TransformConfig(**transforms),
            motion=MotionConfig(**motion),
        )

    def perception_config(self) -> PerceptionConfig:
        """Returns the configuration of the outputs."""
        return PerceptionConfig(depth=self.depth, occupancy=self.occupancy, query=self.query, render=self.render)

    def checkpoint_path(self) -> Path | None:
        """Returns the checkpoint to load, None for the embedded one."""
        return Path(self.model.checkpoint).expanduser() if self.model.checkpoint else None
