"""Measures the per-scene teachers: simulated streets against exact truth, real folders against held-out beams.

python -m benchmarks.teachers --seeds 3
python -m benchmarks.teachers --seeds 0 --folder ../shared/data/nuscenes_sample
"""

import argparse
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.held_out import HeldOutDrive, held_out_returns
from benchmarks.teacher_figures import Figures, distance_errors, seen_psnr, true_view
from distillnerf_core.cli.drives import TEACHERS, create_teacher
from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.data.folder_drive import FolderDrive
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.contact_sheet import draw_views
from distillnerf_core.teachers.layout import ORIGINAL
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import VIRTUAL_OFFSETS_M, TaughtView, Teacher

HEIGHT, WIDTH = 225, 400
BINS_M = ((0, 20), (20, 50), (50, 80))
FIRST_SEED = 100_000
GOAL_ABS_REL = 0.05
SCORED_SWEEPS = 2


@dataclass
class Pool:
    """Distances of many pixels, and what kind of pixel each is."""

    predicted: list[NDArray[np.float32]] = field(default_factory=list)
    truth: list[NDArray[np.float32]] = field(default_factory=list)
    moving: list[NDArray[np.bool_]] = field(default_factory=list)
    trusted: list[NDArray[np.bool_]] = field(default_factory=list)
    sky: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(self, view: TaughtView, truth: NDArray[np.float32], moving: NDArray[np.bool_]) -> None:
        """Adds all pixels of a view; the truth is +inf in the sky."""
        self.predicted.append(view.ray_distance_m.ravel())
        self.truth.append(truth.ravel())
        self.moving.append(moving.ravel())
        self.trusted.append((view.confidence > 0.5).ravel())
        self.sky.append(view.sky.ravel())

    def figures(self) -> Figures:
        """Returns the errors of all kinds of pixels, below 80 m."""
        predicted, truth = np.concatenate(self.predicted), np.concatenate(self.truth)
        near = truth < BINS_M[-1][1]
        kinds = {"all": near, "moving": near & np.concatenate(self.moving)}
        kinds["trusted"] = near & np.concatenate(self.trusted)
        kinds.update({f"{low}-{high} m": (truth >= low) & (truth < high) for low, high in BINS_M})
        result: Figures = {}
        for kind, chosen in kinds.items():
            result.update(
                {f"{kind} {name}": value for name, value in distance_errors(predicted[chosen], truth[chosen]).items()}
            )
        return result | _sky_figures(np.concatenate(self.sky), np.isinf(truth))


def _sky_figures(sky: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Figures:
    return {
        "sky recall": float(sky[truth].mean()) if truth.any() else math.nan,
        "sky precision": float(truth[sky].mean()) if sky.any() else math.nan,
    }


def measure_street(kind: str, seed: int, lidar_rate_hz: float, pictures: Path | None) -> Figures:
    """Compares the views of a simulated street with the exact truth."""
    simulation = SimulationConfig(height=HEIGHT, width=WIDTH, supersampling=1)
    config = SimulatedDriveConfig(
        seed=seed, seconds=6.0, rate_hz=2.0, lidar_rate_hz=lidar_rate_hz, simulation=simulation
    )
    drive = SimulatedDrive(config)
    teacher = create_teacher(kind, drive)
    pool, virtual = Pool(), Virtual()
    images = _scored(drive)
    rows = []
    for image in tqdm(images, desc=drive.name, unit="image"):
        view, truth = teacher.original_view(image, HEIGHT, WIDTH), drive.true_view(image)
        pool.add(view, truth.ray_distance_m, truth.moving)
        rows.append(draw_views({ORIGINAL: view, **virtual.score(teacher, drive, image)}))
    _draw(pictures, f"{kind}_{drive.name}", rows)
    return pool.figures() | virtual.figures()


@dataclass
class Virtual:
    """Figures of virtual views, one entry a view."""

    psnr_db: list[float] = field(default_factory=list)
    abs_rel: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)

    def score(self, teacher: Teacher, drive: SimulatedDrive, image: DriveImage) -> dict[str, TaughtView]:
        """Renders and compares all virtual views of an image where they are valid."""
        views = {}
        for name, offset in VIRTUAL_OFFSETS_M.items():
            view = views[name] = teacher.virtual_view(image, offset, HEIGHT, WIDTH)
            camera = PlacedCamera.of(image, HEIGHT, WIDTH).moved(offset)
            truth = true_view(drive, image, camera)
            self.coverage.append(float(view.seen.mean()))
            if view.seen.any():
                self.psnr_db.append(seen_psnr(view, truth))
            both = np.isfinite(view.ray_distance_m) & (truth.ray_distance_m < BINS_M[-1][1])
            self.abs_rel.append(distance_errors(view.ray_distance_m[both], truth.ray_distance_m[both])["abs_rel"])
        return views

    def figures(self) -> Figures:
        """Returns the means over the views."""
        return {
            "virtual psnr_db": float(np.mean([value for value in self.psnr_db if math.isfinite(value)])),
            "virtual abs_rel": float(np.nanmean(self.abs_rel)),
            "virtual coverage": float(np.mean(self.coverage)),
        }


def measure_folder(kind: str, folder: Path, pictures: Path | None) -> Figures:
    """Compares the distances of a recorded folder with beams that the teacher does not get."""
    whole = FolderDrive(folder)
    teacher = create_teacher(kind, HeldOutDrive(whole))
    full = create_teacher(kind, whole)
    predicted, truth, rows = [], [], []
    for image in tqdm(whole.images, desc=whole.name, unit="image"):
        view = teacher.original_view(image, HEIGHT, WIDTH)
        row, column, distance = held_out_returns(whole, image, HEIGHT, WIDTH)
        predicted.append(view.ray_distance_m[row, column])
        truth.append(distance)
        views = {name: full.virtual_view(image, offset, HEIGHT, WIDTH) for name, offset in VIRTUAL_OFFSETS_M.items()}
        rows.append(draw_views({ORIGINAL: full.original_view(image, HEIGHT, WIDTH), **views}))
    _draw(pictures, f"{kind}_{whole.name}", rows)
    p, t = np.concatenate(predicted), np.concatenate(truth)
    result: Figures = {}
    for name, low, high in (("all", 0, 80), *((f"{low}-{high} m", low, high) for low, high in BINS_M)):
        chosen = (t >= low) & (t < high)
        result.update({f"{name} {figure}": value for figure, value in distance_errors(p[chosen], t[chosen]).items()})
    return result


def _scored(drive: Drive) -> list[DriveImage]:
    """Returns the images of sweeps in the middle of the drive, which have neighbours on both sides."""
    keys = drive.key_sweeps
    chosen = {keys[round((index + 1) * len(keys) / (SCORED_SWEEPS + 1))] for index in range(SCORED_SWEEPS)}
    return [image for image in drive.images if image.sweep in chosen]


def _draw(folder: Path | None, name: str, rows: list[NDArray[np.uint8]]) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.jpg"), np.concatenate(rows, axis=0)[..., ::-1])


def print_table(title: str, results: Mapping[str, Figures]) -> None:
    """Prints the figures of all scenes, one column each."""
    table = Table(title=title)
    table.add_column("figure")
    for scene in results:
        table.add_column(scene, justify="right")
    for name in dict.fromkeys(name for figures in results.values() for name in figures):
        if not name.endswith("pixels"):
            table.add_row(name, *(f"{figures.get(name, math.nan):.4f}" for figures in results.values()))
    Console(width=40 + 20 * len(results)).print(table)


def _mean(results: Iterable[Figures]) -> Figures:
    figures = list(results)
    return {name: float(np.nanmean([scene[name] for scene in figures])) for name in figures[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the per-scene teachers.")
    parser.add_argument("--seeds", type=int, default=3, help="number of simulated streets")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="first street")
    parser.add_argument("--teacher", choices=list(TEACHERS), default="fusion")
    parser.add_argument("--lidar-rate", type=float, default=10.0, help="revolutions of the simulated LiDAR a second")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="recorded frames; more than once")
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    kind, pictures = arguments.teacher, arguments.pictures
    figures: dict[str, Any] = {"teacher": kind, "goal all abs_rel": GOAL_ABS_REL}
    if seeds:
        streets = {str(seed): measure_street(kind, seed, arguments.lidar_rate, pictures) for seed in seeds}
        figures["streets"] = streets | {"mean": _mean(streets.values())}
        print_table(f"{kind}: simulated streets against exact truth", figures["streets"])
        reached = figures["streets"]["mean"]["all abs_rel"]
        print(f"goal: all abs_rel <= {GOAL_ABS_REL}: {'met' if reached <= GOAL_ABS_REL else 'missed'} ({reached:.4f})")
    if arguments.folder:
        figures["folders"] = {
            folder.resolve().name: measure_folder(kind, folder, pictures) for folder in arguments.folder
        }
        print_table(f"{kind}: held-out beams of recorded frames", figures["folders"])
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
