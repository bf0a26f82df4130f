"""What the node said about one frame, gathered from its topics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from distillnerf_ros.msg import SemanticVoxelGrid
from numpy.typing import NDArray

from demo.recorder import Recorder
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import FREE, UNKNOWN
from distillnerf_core.streams.image_decoding import ImageDecoder
from distillnerf_core.streams.layouts import Layout
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.conversions.images import LABEL_COLORS

NODE = "/distillnerf"


@dataclass(frozen=True)
class LiveFrame:
    """One frame as a subscriber sees it; cameras in the order of the layout.

    Attributes:
        stamp_ns: Reference time.
        cameras: Names.
        images: Camera images, RGB [height width 3].
        z_depth_m: Depth images [h w]: NaN invalid, +inf sky.
        semantics: Class of each pixel [h w].
        grid: Placement of the voxels in the base frame.
        labels: Class of each voxel [x y z], 17 free, 255 unknown.
    """

    stamp_ns: int
    cameras: tuple[str, ...]
    images: list[NDArray[np.uint8]]
    z_depth_m: list[NDArray[np.float32]]
    semantics: list[NDArray[np.uint8]]
    grid: VoxelGrid
    labels: NDArray[np.uint8]

    @property
    def occupied(self) -> NDArray[np.int64]:
        """Index [voxels 3] of the occupied voxels."""
        return np.argwhere(self.labels < FREE)


def live_frames(recorder: Recorder, layout: Layout) -> list[LiveFrame]:
    """Returns the frames whose outputs were received, oldest first."""
    frames = (_live_frame(recorder, layout, stamp_ns(status.header)) for status in recorder.statuses)
    return [frame for frame in frames if frame is not None]


def _depth(message: Any) -> NDArray[np.float32]:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def _live_frame(recorder: Recorder, layout: Layout, time_ns: int) -> LiveFrame | None:
    topics = [f"{NODE}/{camera.name}" for camera in layout.cameras]
    images = [recorder.at(camera.image_topic, time_ns) for camera in layout.cameras]
    depths = [recorder.at(f"{topic}/depth/image", time_ns) for topic in topics]
    semantics = [recorder.at(f"{topic}/semantics/image", time_ns) for topic in topics]
    grid: SemanticVoxelGrid | None = recorder.at(f"{NODE}/occupancy/grid", time_ns, tolerance_ns=0)
    groups = (images, depths, semantics)
    if grid is None or any(all(message is None for message in group) for group in groups):
        return None
    decoder = ImageDecoder()
    corner = grid.origin.position
    size = (int(grid.size[0]), int(grid.size[1]), int(grid.size[2]))
    return LiveFrame(
        stamp_ns=time_ns,
        cameras=layout.names,
        images=_filled(images, decoder.decode, 0),
        z_depth_m=_filled(depths, _depth, np.nan),
        semantics=_filled(semantics, lambda message: _labels(decoder.decode(message)), UNKNOWN),
        grid=VoxelGrid((corner.x, corner.y, corner.z), float(grid.resolution), size),
        labels=np.frombuffer(grid.label, np.uint8).reshape(size),
    )


def _filled(messages: list[Any], decode: Callable[[Any], NDArray[Any]], missing: float) -> list[NDArray[Any]]:
    """Decodes images; a camera that the node had to leave out gets an empty one of the others' size."""
    decoded = [None if message is None else decode(message) for message in messages]
    empty = np.full_like(next(image for image in decoded if image is not None), missing)
    return [empty if image is None else image for image in decoded]


def _labels(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the class that each colour stands for; black is unknown."""
    palette = LABEL_COLORS.astype(np.int64) @ (65536, 256, 1)
    values = colors.astype(np.int64) @ (65536, 256, 1)
    order = np.argsort(palette, kind="stable")
    found = order[np.searchsorted(palette[order], values)]
    return np.where(values == 0, 255, found).astype(np.uint8)
