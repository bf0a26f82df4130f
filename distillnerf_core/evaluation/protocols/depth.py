"""Depth against a LiDAR revolution (DistillNeRF, table 2a)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.lidar_depth import sweep_lidar_depth
from distillnerf_core.errors import DataError
from distillnerf_core.evaluation.metrics import DepthErrors, depth_errors
from distillnerf_core.evaluation.pictures import array, camera_page, depth_images, to_image
from distillnerf_core.evaluation.protocols.base import Glance, Measurement
from distillnerf_core.evaluation.scenes import render_size
from distillnerf_core.geometry.rays import ray_distance_to_z_depth

NAME = "depth"
MAX_DEPTH_M = 80.0
_KINDS = {
    "z": "z-depth",
    "median_z": "z-depth, median of the ray",
    "ray": "distance along the ray",
}
_ERRORS = {
    "abs_rel": "AbsRel",
    "sq_rel": "SqRel, m",
    "rmse": "RMSE, m",
    "rmse_log": "RMSE log",
    "delta1": "delta < 1.25",
    "delta2": "delta < 1.25^2",
    "delta3": "delta < 1.25^3",
}


@dataclass(frozen=True)
class LidarDepthProtocol:
    """Renders depth into the cameras of the input and compares with the points of a LiDAR revolution."""

    glance: Glance

    @property
    def name(self) -> str:
        """Name on the command line."""
        return NAME

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured."""
        height, width = render_size(self.glance.judged)
        return (
            self.glance.statement,
            "Truth: the single LiDAR revolution nearest in time, points within 80 m in x and y and 6.4 m in z of "
            f"the sensor, the nearest point in each pixel of {width} x {height} pixels (reference network, section "
            "4.2).",
            f"Compared: pixels with a true value above 1e-3 and below {MAX_DEPTH_M:g} m; predictions are clipped "
            "to the same limits; no scaling, neither by the median nor otherwise; no target in the sky. Each "
            "sample gives the mean over its pixels, then the mean over samples is taken.",
            "Kinds of depth are not mixed: z-depth (along the optical axis) is compared with z-depth, distance along "
            "the ray with distance along the ray. The prediction is the expected distance along the ray; the figures "
            "`median` have the distance at which half of the stopped light is stopped.",
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        names = {
            f"{kind}_{error}": f"{words}: {title}" for kind, words in _KINDS.items() for error, title in _ERRORS.items()
        }
        return {**names, "pixels": "pixels compared per sample"}

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep."""
        size = render_size(self.glance.judged)
        truth = sweep_lidar_depth(drive, sweep, *size)
        full = self.glance.frame(drive, sweep)
        present = [list(drive.cameras).index(name) for name in full.rig.names]
        true_z, true_distance = truth.z_depth_m[present], truth.ray_distance_m[present]
        rig = full.rig.resized(*size)
        views = self.glance.judged.perceive(full).render(rig)
        z_depth = ray_distance_to_z_depth(views.ray_distance_m, rig)
        errors = {
            "z": depth_errors(z_depth, true_z, MAX_DEPTH_M),
            "median_z": depth_errors(ray_distance_to_z_depth(views.median_distance_m, rig), true_z, MAX_DEPTH_M),
            "ray": depth_errors(views.ray_distance_m, true_distance, MAX_DEPTH_M),
        }
        if not errors["z"].count:
            raise DataError(f"{drive.name}, sweep {sweep}: no LiDAR point falls into an image; check the calibration")
        figures = {f"{kind}_{key}": value for kind, found in errors.items() for key, value in _seven(found).items()}
        pictures = {}
        if draw:
            rows = [
                ("input", [to_image(image) for image in full.images]),
                ("LiDAR", depth_images(array(true_z), spread=True)),
                ("depth", depth_images(array(z_depth))),
            ]
            pictures["depth"] = camera_page(f"{drive.name}, sweep {sweep}: z-depth", full.rig.names, rows)
        return Measurement({**figures, "pixels": float(errors["z"].count)}, pictures)

    def totals(self) -> Mapping[str, float]:
        """Nothing: all figures are means over samples."""
        return {}


def _seven(errors: DepthErrors) -> dict[str, float]:
    return {key: value for key, value in dataclasses.asdict(errors).items() if key in _ERRORS}
