"""What one glance gives to a robot."""

from dataclasses import dataclass
from enum import Enum

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.label_set import OCC3D_LABELS, LabelSet
from distillnerf_core.model.scene_field import SceneField
from distillnerf_core.perception.classes import UNFELT_CLASSES, SemanticClasses
from distillnerf_core.perception.timings import StageTimings


class Output(str, Enum):
    """An output that costs time only if asked for."""

    DEPTH = "depth"
    RGB = "rgb"
    SEMANTICS = "semantics"
    FEATURES = "features"
    OCCUPANCY = "occupancy"


ALL_OUTPUTS: frozenset[Output] = frozenset(Output)


@dataclass(frozen=True)
class OccupiedVoxels:
    """The occupied voxels of a grid, in ascending order of their index.

    Attributes:
        index: Integer position in the grid.
        features: Language feature, not normalised.
    """

    index: Int64[Tensor, "voxels 3"]
    features: Float[Tensor, "voxels channels"]

    def centers_m(self, grid: VoxelGrid) -> Float[Tensor, "voxels 3"]:
        """Returns the centres in the ego frame, metres."""
        lower = self.features.new_tensor(grid.lower_m)
        return lower + (self.index.to(lower.dtype) + 0.5) * grid.voxel_size_m


@dataclass(frozen=True)
class SemanticOccupancy:
    """Which part of space is taken, and by what.

    Attributes:
        grid: Placement of the voxels in the ego frame.
        labels: Class, the label after the last class for free, 255 unknown (no camera looks there).
        density: Density in 1/m.
        confidence: Opacity of a voxel crossed along an edge: 1 - exp(-density * voxel size).
        occupied: The occupied voxels with their features.
        classes: What the labels mean.
    """

    grid: VoxelGrid
    labels: UInt8[Tensor, "x y z"]
    density: Float[Tensor, "x y z"]
    confidence: Float[Tensor, "x y z"]
    occupied: OccupiedVoxels
    classes: LabelSet = OCC3D_LABELS

    @property
    def occupied_mask(self) -> Bool[Tensor, "x y z"]:
        """True where a voxel is occupied."""
        return self.labels < self.classes.free


@dataclass(frozen=True)
class DepthImages:
    """Depth along the optical axis for every camera of the frame.

    Attributes:
        z_depth_m: Metres; NaN where the camera is missing, +inf for sky and beyond the range (REP-118).
        rig: Calibration at the size of the images.
    """

    z_depth_m: Float[Tensor, "cameras h w"]
    rig: CameraRig


@dataclass(frozen=True)
class PerceptionResult:
    """Everything that was derived from one frame; outputs that nobody asked for are None.

    Attributes:
        stamp_ns: Reference time of the frame.
        frame: The images at network size.
        field: The predicted scene field, in the ego frame at `stamp_ns`.
        depth: Depth images.
        rgb: Reconstructed images in [0, 1], zeros for missing cameras.
        semantics: Class of each pixel, the label after the last class for sky, 255 for missing cameras; the size of
            the depth images.
        language: Language feature of each pixel, zeros for missing cameras.
        features: The same as colours in [0, 1], by a projection that is the same for all frames of a checkpoint.
        occupancy: Semantic occupancy.
        timings: Duration of each stage.
        classes: What pixels and voxels were labelled with.
    """

    stamp_ns: int
    frame: MultiViewFrame
    field: SceneField
    depth: DepthImages | None
    rgb: Float[Tensor, "cameras 3 height width"] | None
    semantics: UInt8[Tensor, "cameras h w"] | None
    language: Float[Tensor, "cameras channels h w"] | None
    features: Float[Tensor, "cameras 3 h w"] | None
    occupancy: SemanticOccupancy | None
    timings: StageTimings
    classes: SemanticClasses = UNFELT_CLASSES


def bare_result(frame: MultiViewFrame, field: SceneField, classes: SemanticClasses) -> PerceptionResult:
    """Returns a result without outputs.

    Args:
        frame: The images at network size.
        field: What was predicted of them.
        classes: What pixels and voxels shall be labelled with.
    """
    return PerceptionResult(
        frame.stamp_ns, frame, field, None, None, None, None, None, None, timings=StageTimings(()), classes=classes
    )
