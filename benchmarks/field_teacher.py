"""How well the teacher `field` learns a simulated street, and what LiDAR, moving parts and sky masks add.

    python -m benchmarks.field_teacher [--street 2] [--seconds 4] [--rate 5] [--iterations 1000] [--rays 384]
                                       [--variants full no_lidar no_moving no_sky] [--out DIR] [--json FILE]

Every tenth sweep, with the LiDAR around it, is held out; all figures but `trained_psnr` are of these. PSNR is the mean
over images; AbsRel and delta1 are of ray distances against the exact ones below 80 m, over all pixels, whatever the
teacher thinks of them; IoU is of pixels over all images. `left` is a camera 1 m to the left. A killed run goes on.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from distillnerf_core.data.drive import DriveImage
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig, SimulatedView
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.field.config import SMALL, FieldTeacherConfig
from distillnerf_core.teachers.field.teacher import FieldTeacher
from distillnerf_core.teachers.field.trainer import FieldTrainer
from distillnerf_core.teachers.field.views import FieldView
from distillnerf_core.teachers.placed_camera import PlacedCamera

VARIANTS = ("full", "no_lidar", "no_moving", "no_sky")
_FARTHEST_M = 80.0
Pairs = Sequence[tuple[FieldView, SimulatedView]]


def simulated_drive(street: int, seconds: float, rate_hz: float, height: int, width: int) -> SimulatedDrive:
    """Returns a short drive with small images."""
    simulation = SimulationConfig(height=height, width=width, supersampling=2)
    return SimulatedDrive(
        SimulatedDriveConfig(seed=street, seconds=seconds, rate_hz=rate_hz, lidar_rate_hz=10.0, simulation=simulation)
    )


def variant_config(variant: str, iterations: int, rays: int) -> FieldTeacherConfig:
    """Returns the settings of a variant."""
    changes = {"iterations": iterations, "pixel_rays": rays, "lidar_rays": rays, "hold_out_every": 10, "sweep_step": 1}
    if variant == "no_lidar":
        changes["lidar_rays"] = 0
    config = SMALL.model_copy(update=changes)
    if variant == "no_moving":
        config = config.model_copy(update={"field": config.field.model_copy(update={"moving": "none"})})
    return config


def measure(
    drive: SimulatedDrive, teacher: FieldTeacher, held_out: Sequence[DriveImage], trained: Sequence[DriveImage]
) -> dict[str, float]:
    """Renders images and compares them with the truth."""

    def pair(image: DriveImage, left_m: float) -> tuple[FieldView, SimulatedView]:
        camera = PlacedCamera.of(image, image.height, image.width).moved((-left_m, 0.0, 0.0))
        true = drive.render_view(camera.camera_to_world, camera.intrinsics, image.height, image.width, image.stamp_ns)
        return teacher.rendered(image, camera), true

    here = [pair(image, 0.0) for image in held_out]
    skies = [np.isinf(true.ray_distance_m) for _, true in here]
    left = [pair(image, 1.0) for image in held_out]
    return {
        "psnr": mean_psnr(here),
        "trained_psnr": mean_psnr([pair(image, 0.0) for image in trained]),
        "left_psnr": mean_psnr(left),
        **depth_figures(here, ""),
        **depth_figures(left, "left_"),
        "moving_iou": overlap([view.moving_opacity > 0.5 for view, _ in here], [true.moving for _, true in here]),
        "sky_iou": overlap([view.opacity < 0.5 for view, _ in here], skies),
    }


def mean_psnr(pairs: Pairs) -> float:
    """Returns the mean PSNR of the images, dB."""
    errors = [np.square((view.pixels.astype(float) - true.pixels) / 255.0).mean() for view, true in pairs]
    return float(np.mean([-10.0 * np.log10(error) for error in errors]))


def depth_figures(pairs: Pairs, prefix: str) -> dict[str, float]:
    """Compares the distances of all pixels with the true ones below 80 m."""
    found = np.concatenate([view.distance_m.ravel() for view, _ in pairs])
    true = np.concatenate([true.ray_distance_m.ravel() for _, true in pairs])
    known = true < _FARTHEST_M
    found, true = found[known], true[known]
    ratio = np.maximum(found / true, true / found)
    return {
        f"{prefix}abs_rel": float((np.abs(found - true) / true).mean()),
        f"{prefix}median_rel": float(np.median(np.abs(found - true) / true)),
        f"{prefix}delta1": float((ratio < 1.25).mean()),
    }


def overlap(found: Sequence[NDArray[np.bool_]], true: Sequence[NDArray[np.bool_]]) -> float:
    """Returns the intersection over the union of masks, over all images together."""
    both = sum(int((one & other).sum()) for one, other in zip(found, true, strict=True))
    either = sum(int((one | other).sum()) for one, other in zip(found, true, strict=True))
    return both / max(either, 1)


def run(drive: SimulatedDrive, variant: str, iterations: int, rays: int, out: Path) -> dict[str, float]:
    """Fits one variant and measures it."""

    def sky(image: DriveImage) -> NDArray[np.bool_]:
        return np.isinf(drive.true_ray_distance(image))

    config = variant_config(variant, iterations, rays)
    masks = None if variant == "no_sky" else sky
    trainer = FieldTrainer(drive, config, out / variant, masks)
    trainer.resume()
    started = time.process_time()
    trainer.run()
    seconds = time.process_time() - started
    teacher = FieldTeacher(drive, trainer, masks)
    figures = measure(
        drive, teacher, trainer.split.held_out, trainer.split.images[:: max(1, len(trainer.split.images) // 12)]
    )
    return {**figures, "cpu_minutes": seconds / 60.0}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--street", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--rays", type=int, default=384)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("runs/field_teacher"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    drive = simulated_drive(options.street, options.seconds, options.rate, SMALL.height, SMALL.width)
    found = {}
    for variant in options.variants:
        found[variant] = run(drive, variant, options.iterations, options.rays, options.out)
        Console().print(_table(found))
        if options.json is not None:
            options.json.write_text(json.dumps({"options": vars(options), "figures": found}, default=str, indent=1))


def _table(found: dict[str, dict[str, float]]) -> Table:
    table = Table(title="teacher field on a simulated street, held-out sweeps")
    table.add_column("figure")
    for variant in found:
        table.add_column(variant, justify="right")
    for name in next(iter(found.values())):
        table.add_row(name, *(f"{figures[name]:.3f}" for figures in found.values()))
    return table


if __name__ == "__main__":
    main()
