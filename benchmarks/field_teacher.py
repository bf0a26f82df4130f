"""How well the teacher `field` learns simulated streets, what each of its parts adds, and `fusion` beside it.

    python -m benchmarks.field_teacher [--streets 2] [--seconds 4] [--rate 5] [--iterations 1000] [--rays 384]
                                       [--variants full no_lidar no_moving no_sky fusion] [--out DIR] [--json FILE]

Every tenth sweep, with the LiDAR around it, is held out; all figures but `trained_psnr` are of these. PSNR is the mean
over images; AbsRel and delta1 are of ray distances against the exact ones below 80 m, over all pixels for which the
teacher has one (`coverage`), whatever it thinks of them; IoU is of pixels over all images. `left` is a camera 1 m to
the left. `fusion` lacks the LiDAR of held-out sweeps, too, but has their photographs; its PSNR is of the pixels it
sees. Several streets are averaged. A killed run goes on.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.held_out import PartialDrive
from benchmarks.teacher_figures import Figures, distance_errors, seen_psnr, true_view
from distillnerf_core.cli.drives import create_teacher
from distillnerf_core.data.drive import DriveImage
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig, SimulatedView
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.field.config import SMALL, FieldTeacherConfig
from distillnerf_core.teachers.field.drive_split import DriveSplit
from distillnerf_core.teachers.field.teacher import FieldTeacher
from distillnerf_core.teachers.field.trainer import FieldTrainer
from distillnerf_core.teachers.field.views import FieldView
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import Offset, Teacher

VARIANTS = ("full", "no_lidar", "no_moving", "no_sky", "fusion")
_FARTHEST_M = 80.0
_HERE_M, _LEFT_M = (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
Pairs = Sequence[tuple[FieldView, SimulatedView]]
Maps = Iterable[tuple[NDArray[np.float32], SimulatedView]]


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
) -> Figures:
    """Renders images of a field and compares them with the truth."""

    def pair(image: DriveImage, offset_m: Offset) -> tuple[FieldView, SimulatedView]:
        camera = PlacedCamera.of(image, image.height, image.width).moved(offset_m)
        return teacher.rendered(image, camera), true_view(drive, image, camera)

    here = [pair(image, _HERE_M) for image in held_out]
    skies = [np.isinf(true.ray_distance_m) for _, true in here]
    left = [pair(image, _LEFT_M) for image in held_out]
    return {
        "psnr": mean_psnr(here),
        "trained_psnr": mean_psnr([pair(image, _HERE_M) for image in trained]),
        "left_psnr": mean_psnr(left),
        **depth_figures([(view.distance_m, true) for view, true in here], ""),
        **depth_figures([(view.distance_m, true) for view, true in left], "left_"),
        "moving_iou": overlap([view.moving_opacity > 0.5 for view, _ in here], [true.moving for _, true in here]),
        "sky_iou": overlap([view.opacity < 0.5 for view, _ in here], skies),
    }


def measure_views(drive: SimulatedDrive, teacher: Teacher, held_out: Sequence[DriveImage]) -> Figures:
    """Compares what a teacher says about images with the truth, where it says something."""
    here, left = [], []
    for image in held_out:
        camera, size = PlacedCamera.of(image, image.height, image.width), (image.height, image.width)
        here.append((teacher.original_view(image, *size), true_view(drive, image, camera)))
        left.append((teacher.virtual_view(image, _LEFT_M, *size), true_view(drive, image, camera.moved(_LEFT_M))))
    skies = [np.isinf(true.ray_distance_m) for _, true in here]
    return {
        "left_psnr": statistics.fmean(seen_psnr(view, true) for view, true in left),
        **depth_figures([(view.ray_distance_m, true) for view, true in here], ""),
        **depth_figures([(view.ray_distance_m, true) for view, true in left], "left_"),
        "sky_iou": overlap([view.sky for view, _ in here], skies),
    }


def mean_psnr(pairs: Pairs) -> float:
    """Returns the mean PSNR of the images, dB."""
    errors = [np.square((view.pixels.astype(float) - true.pixels) / 255.0).mean() for view, true in pairs]
    return float(np.mean([-10.0 * np.log10(error) for error in errors]))


def depth_figures(maps: Maps, prefix: str) -> Figures:
    """Compares the distances of all pixels that have one with the true ones below 80 m."""
    pairs = [(found.ravel(), true.ray_distance_m.ravel()) for found, true in maps]
    found, true = (np.concatenate(side) for side in zip(*pairs, strict=True))
    near = true < _FARTHEST_M
    errors = distance_errors(found[near], true[near])
    return {f"{prefix}{name}": errors[name] for name in ("abs_rel", "median_rel", "delta1", "coverage")}


def overlap(found: Sequence[NDArray[np.bool_]], true: Sequence[NDArray[np.bool_]]) -> float:
    """Returns the intersection over the union of masks, over all images together."""
    both = sum(int((one & other).sum()) for one, other in zip(found, true, strict=True))
    either = sum(int((one | other).sum()) for one, other in zip(found, true, strict=True))
    return both / max(either, 1)


def run(drive: SimulatedDrive, variant: str, config: FieldTeacherConfig, out: Path) -> Figures:
    """Makes one teacher and measures it."""
    started = time.process_time()
    if variant == "fusion":
        split = DriveSplit.of(drive, config.sweep_step, config.hold_out_every)
        figures = measure_views(drive, create_teacher("fusion", PartialDrive(drive, split.scans)), split.held_out)
        return {**figures, "cpu_minutes": (time.process_time() - started) / 60.0}

    def sky(image: DriveImage) -> NDArray[np.bool_]:
        return np.isinf(drive.true_ray_distance(image))

    masks = None if variant == "no_sky" else sky
    trainer = FieldTrainer(drive, config, out, masks)
    trainer.resume()
    trainer.run()
    seconds = time.process_time() - started
    trained = trainer.split.images[:: max(1, len(trainer.split.images) // 12)]
    figures = measure(drive, FieldTeacher(drive, trainer, masks), trainer.split.held_out, trained)
    return {**figures, "cpu_minutes": seconds / 60.0}


def build_table(found: Mapping[str, Sequence[Figures]]) -> Table:
    """Shows the means over streets, a column for each variant."""
    table = Table(title="teachers on simulated streets, held-out sweeps")
    table.add_column("figure")
    for variant, streets in found.items():
        table.add_column(f"{variant} ({len(streets)})", justify="right")
    for name in dict.fromkeys(name for streets in found.values() for name in streets[0]):
        table.add_row(name, *(_mean(streets, name) for streets in found.values()))
    return table


def _mean(streets: Sequence[Figures], name: str) -> str:
    return f"{statistics.fmean(figures[name] for figures in streets):.3f}" if name in streets[0] else ""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streets", type=int, nargs="+", default=[2])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--rays", type=int, default=384)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("runs/field_teacher"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[Figures]] = {}
    for street in options.streets:
        drive = simulated_drive(street, options.seconds, options.rate, SMALL.height, SMALL.width)
        for variant in options.variants:
            config = variant_config(variant, options.iterations, options.rays)
            found.setdefault(variant, []).append(run(drive, variant, config, options.out / f"{variant}_{street}"))
            Console().print(build_table(found))
            if options.json is not None:
                options.json.write_text(json.dumps({"options": vars(options), "figures": found}, default=str, indent=1))


if __name__ == "__main__":
    main()
