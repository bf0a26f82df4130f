"""Settings of the fusion of LiDAR; lengths in pixels are of an image 400 pixels wide and scale with the width."""

from pathlib import Path

import pydantic

from distillnerf_core.configuration import Config

REFERENCE_WIDTH_PX = 400


class BeamConfig(Config):
    """Interpolation between neighbouring beams (section 13.1.2).

    Attributes:
        between: Points put between two beams.
        nearest_scans: Revolutions nearest in time that are interpolated; the others lie denser by themselves.
        plane_tolerance: Relative error of the inverse horizontal distance that a beam may have to the line through the
            two beams below or above it.
        gap_m: Beams whose horizontal distances differ by less are always joined.
    """

    between: int = pydantic.Field(default=5, ge=0, le=32)
    nearest_scans: int = pydantic.Field(default=3, ge=0)
    plane_tolerance: float = pydantic.Field(default=0.1, gt=0)
    gap_m: float = pydantic.Field(default=0.4, ge=0)


class MapConfig(Config):
    """Which points are gathered.

    Attributes:
        window_s: How far in time static points may be away from the target.
        scan_step_s: Least time between two revolutions that are used.
        nearest_m: Nearest range of a point that is used: the vehicle itself is nearer.
        farthest_m: Farthest range.
        box_scale: Factor by which boxes are enlarged before points are taken for the object's.
        voxel_m: Static points are thinned to one in a cube of this edge.
    """

    window_s: float = pydantic.Field(default=3.0, ge=0)
    scan_step_s: float = pydantic.Field(default=0.1, ge=0)
    nearest_m: float = pydantic.Field(default=1.5, ge=0)
    farthest_m: float = pydantic.Field(default=120.0, gt=0)
    box_scale: float = pydantic.Field(default=1.1, ge=1)
    voxel_m: float = pydantic.Field(default=0.06, gt=0)


class VisibilityConfig(Config):
    """Removal of hidden points (section 13.1.3).

    Attributes:
        gap_m: Reach on the surface: what is seen between points that lie nearer to each other is mostly hidden.
        most_px: Limit of this reach in the image.
        relative: A point is hidden behind surfaces nearer by more than this share of its distance
        absolute_m: plus this.
        same_pixel: Points of one pixel farther than the nearest by more than this share are hidden.
    """

    gap_m: float = pydantic.Field(default=0.35, ge=0)
    most_px: float = pydantic.Field(default=30.0, ge=0)
    relative: float = pydantic.Field(default=0.05, ge=0)
    absolute_m: float = pydantic.Field(default=0.5, ge=0)
    same_pixel: float = pydantic.Field(default=0.08, gt=0)


class CompletionConfig(Config):
    """Completion to every pixel.

    Attributes:
        neighbours: Visible points that decide about a pixel.
        support_px: Pixels farther away from all points stay unknown.
        color_scale: Difference of colours, of 255, that halves the say of a point about.
        plane_tolerance: Relative residual from which neighbours are taken for two surfaces instead of a plane.
        spread_px: Confidence falls to 1/e at this distance to the next point.
        residual_scale: Confidence falls to 1/e at this relative residual.
        upward_px: Surfaces that reach to the uppermost beam are continued upright over so many pixels.
    """

    neighbours: int = pydantic.Field(default=8, ge=3, le=32)
    support_px: float = pydantic.Field(default=12.0, gt=0)
    color_scale: float = pydantic.Field(default=20.0, gt=0)
    plane_tolerance: float = pydantic.Field(default=0.03, gt=0)
    spread_px: float = pydantic.Field(default=8.0, gt=0)
    residual_scale: float = pydantic.Field(default=0.15, gt=0)
    upward_px: float = pydantic.Field(default=80.0, ge=0)


class SplattingConfig(Config):
    """Virtual views (section 13.1.7).

    Attributes:
        neighbour_sweeps: Sweeps of the drive before and after, at `neighbour_step_s`, whose static pixels fill holes.
        neighbour_step_s: Time between them.
        least_confidence: Pixels trusted less are not used.
        agreement: Relative difference of distances up to which a source may give a surface its colour.
    """

    neighbour_sweeps: int = pydantic.Field(default=1, ge=0, le=5)
    neighbour_step_s: float = pydantic.Field(default=0.5, gt=0)
    least_confidence: float = pydantic.Field(default=0.2, ge=0, le=1)
    agreement: float = pydantic.Field(default=0.03, gt=0)


class MonoDepthConfig(Config):
    """Depth of a network for single images, where the LiDAR does not reach (section 13.1.4).

    Attributes:
        folder: Hugging Face folder of Depth Anything, best a metric one for outdoors; None: only what was measured.
        short_side_px: Shorter side at which it sees an image.
        confidence: Trust in it beside the next measured pixel.
        spread_px: Trust falls to 1/e at this distance from measured pixels.
    """

    folder: Path | None = None
    short_side_px: int = pydantic.Field(default=518, ge=14)
    confidence: float = pydantic.Field(default=0.7, ge=0, le=1)
    spread_px: float = pydantic.Field(default=100.0, gt=0)


class FusionConfig(Config):
    """The teacher `fusion`.

    Attributes:
        beams: Interpolation between beams.
        map: Gathered points.
        visibility: Removal of hidden points.
        completion: Completion to every pixel.
        splatting: Virtual views.
        mono_depth: Depth of a network, where the LiDAR does not reach.
    """

    beams: BeamConfig = BeamConfig()
    map: MapConfig = MapConfig()
    visibility: VisibilityConfig = VisibilityConfig()
    completion: CompletionConfig = CompletionConfig()
    splatting: SplattingConfig = SplattingConfig()
    mono_depth: MonoDepthConfig = MonoDepthConfig()
