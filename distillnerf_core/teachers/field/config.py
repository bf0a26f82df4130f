"""Settings of the neural-field teacher; the defaults are the full ones (section 13.3)."""

from typing import Literal

import pydantic

from distillnerf_core.configuration import Config
from distillnerf_core.teachers.field.grid_layout import GridConfig


class FieldConfig(Config):
    """Architecture of the field.

    Attributes:
        static: Grid of what stands.
        boxes: Grid of what moves in labelled boxes, one for each box within one table.
        time: Grid over space and time, for drives without labelled boxes.
        proposal: Grid of the densities that the samples are drawn from; both rounds share it (section 10, item 1).
        moving: Which part what moves has: `auto` takes `boxes` where labelled objects move, `time` where nothing is
            labelled, and `none` where all that is labelled stands.
        shadows: Let the part over space and time take light from the static part.
        box_scale: Factor by which boxes are enlarged, to the sides and upwards.
        clear_boxes: Whether nothing that stands may be inside the boxes.
        width: Of hidden layers.
        geometry: Channels that the colour is decoded from.
        appearance: Channels of each image's own appearance.
        proposal_intervals: Intervals along a ray in the rounds of proposals.
        intervals: Intervals that are rendered.
    """

    static: GridConfig = GridConfig()
    boxes: GridConfig = GridConfig(levels=8, base=8, finest=512, log2_entries=19)
    time: GridConfig = GridConfig(base=32, log2_entries=18)
    proposal: GridConfig = GridConfig(levels=8, features=1, finest=2048)
    moving: Literal["auto", "boxes", "time", "none"] = "auto"
    shadows: bool = False
    box_scale: float = pydantic.Field(default=1.1, ge=1)
    clear_boxes: bool = True
    width: int = pydantic.Field(default=64, gt=0)
    geometry: int = pydantic.Field(default=64, gt=0)
    appearance: int = pydantic.Field(default=16, ge=0)
    proposal_intervals: tuple[int, int] = (128, 64)
    intervals: int = pydantic.Field(default=64, gt=1)


class FieldLossWeights(Config):
    """Weights of the loss (sections 6.1 and 13.3).

    Attributes:
        color: Squared error of the colour.
        distance: Relative error of LiDAR ranges.
        line_of_sight: Weights before and around returns.
        sky: Opacity against the masks of the sky.
        moving: Density of the part over space and time, so that it holds nothing that stands.
        shadow: Shadows of the moving part.
        proposal: Proposals below the field's weights.
    """

    color: float = 1.0
    distance: float = 0.05
    line_of_sight: float = 0.1
    sky: float = 0.001
    moving: float = 0.01
    shadow: float = 0.01
    proposal: float = 1.0


class FieldTeacherConfig(Config):
    """Training of a field on one drive.

    Attributes:
        field: Architecture.
        weights: Of the loss.
        iterations: Each learns once from pixels and once from LiDAR.
        pixel_rays: Pixels of an iteration.
        lidar_rays: LiDAR returns of an iteration; 0 leaves the LiDAR out.
        learning_rate: Largest of Adam.
        height: Rows of the images that it learns from.
        width: Columns of these images.
        sweep_step: Learns from each n-th sweep of the cameras.
        hold_out_every: Each n-th sweep, and LiDAR within 50 ms of it, is left for testing; 0 for none.
        nearest_m: Nearest LiDAR return that is used.
        farthest_m: Farthest LiDAR return that is used.
        own_vehicle: Share of the rows, at the bottom of a camera's images, that show the own vehicle.
        seed: Of everything random.
        device: `auto`, `cpu` or `cuda`.
        chunk_rays: Rays rendered at once.
        checkpoint_minutes: A killed run loses at most this.
        log_every: Iterations between points of the learning curve.
    """

    field: FieldConfig = FieldConfig()
    weights: FieldLossWeights = FieldLossWeights()
    iterations: int = pydantic.Field(default=12_500, gt=0)
    pixel_rays: int = pydantic.Field(default=8192, gt=0)
    lidar_rays: int = pydantic.Field(default=4096, ge=0)
    learning_rate: float = pydantic.Field(default=0.01, gt=0)
    height: int = pydantic.Field(default=225, gt=0)
    width: int = pydantic.Field(default=400, gt=0)
    sweep_step: int = pydantic.Field(default=1, gt=0)
    hold_out_every: int = pydantic.Field(default=0, ge=0)
    nearest_m: float = pydantic.Field(default=1.5, ge=0)
    farthest_m: float = pydantic.Field(default=80.0, gt=0)
    own_vehicle: dict[str, float] = pydantic.Field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    chunk_rays: int = pydantic.Field(default=16_384, gt=0)
    checkpoint_minutes: float = pydantic.Field(default=3.0, gt=0)
    log_every: int = pydantic.Field(default=50, gt=0)


SMALL = FieldTeacherConfig(
    field=FieldConfig(
        static=GridConfig(levels=8, features=2, finest=1024, log2_entries=16),
        boxes=GridConfig(levels=4, features=2, base=4, finest=32, log2_entries=15),
        time=GridConfig(levels=6, features=2, base=8, finest=256, log2_entries=15),
        proposal=GridConfig(levels=5, features=1, finest=256, log2_entries=15),
        width=32,
        geometry=16,
        appearance=8,
        proposal_intervals=(64, 32),
        intervals=32,
    ),
    iterations=1500,
    pixel_rays=512,
    lidar_rays=512,
    height=56,
    width=100,
    sweep_step=3,
    chunk_rays=2048,
)
"""Settings for small images and minutes on a CPU."""
