"""Whether distillation pays: the same small network, the same few steps, with more and more to learn from.

    python -m benchmarks.distillation [--drives 26] [--steps 1000] [--depth-steps 400] [--seeds 2] [--out DIR]

Short drives through simulated streets are taught by `fusion` from their LiDAR. Each run starts from random weights and
sees the same frames in the same order. All are judged on streets that no run has seen, against exact truth: depth below
50 m, occupancy and classes of visible voxels, colour, and colour of the next key-frame. A voxel is occupied above a
density that is chosen for each run on other streets. A killed benchmark goes on. A run takes four minutes of one core;
started twice on one folder with different --variants, it uses two. docs/distillation.md has the results.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.distillation_variants import KEY_FRAMES, NETWORK, VARIANTS, Variant
from distillnerf_core.cli.drives import create_teacher
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.evaluation.estimates import PipelineMethod
from distillnerf_core.evaluation.metrics import psnr
from distillnerf_core.evaluation.protocol import QUERY_WORDS, frame_figures
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.codec import FeatureCodec, create_feature_codec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.perception.config import OccupancyConfig, PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.simulation.other_views import simulate_others
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep
from distillnerf_core.simulation.style import StreetStyle
from distillnerf_core.teachers.targets import TaughtDrive
from distillnerf_core.teachers.teaching import key_images, teach
from distillnerf_core.training.config import ObjectiveConfig, TrainConfig
from distillnerf_core.training.drive_supervision import DriveSupervisor, SupervisionConfig
from distillnerf_core.training.prepared import PreparedFrames, prepare
from distillnerf_core.training.trainer import Trainer

SIZE = (NETWORK["image_height"], NETWORK["image_width"])
SHARPNESS = 2
"""Images are this many times as large as the network's input, and are averaged."""
FIRST_TRAINED, FIRST_TUNED, FIRST_JUDGED = 60_000, 90_500, 100_000
TUNED_STREETS = 4
THRESHOLDS = (0.1, 0.3, 0.6, 1.2, 2.4, 4.8, 10.0, 20.0)
COLUMNS = {
    "abs_rel": "AbsRel",
    "delta1": "delta < 1.25",
    "iou": "IoU",
    "miou": "mIoU",
    "psnr_db": "PSNR, dB",
    "next_psnr_db": "next frame, dB",
}

Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """Where the benchmark works, and how large it is.

    Attributes:
        out: Folder.
        drives: Drives that are learnt from.
        steps: Optimiser steps of each run.
        depth_steps: How many of them train the depth stages alone, where distances are learnt.
        judged: Streets that runs are judged on.
    """

    out: Path
    drives: int
    steps: int
    depth_steps: int
    judged: int


def prepare_frames(bench: Bench) -> None:
    """Teaches the drives, and writes the frames that runs with and without a teacher see."""
    simulation = SimulationConfig(height=SIZE[0] * SHARPNESS, width=SIZE[1] * SHARPNESS, supersampling=1)
    street = SimulatedDriveConfig(seconds=1.0, rate_hz=2.0, lidar_rate_hz=10.0, simulation=simulation)
    for seed in tqdm(range(FIRST_TRAINED, FIRST_TRAINED + bench.drives), desc="teach", unit="drive"):
        drive = SimulatedDrive(street.model_copy(update={"seed": seed}))
        folder = bench.out / "taught" / drive.name
        frames = [bench.out / kind / drive.name for kind in ("teacher", "lidar")]
        if all(len(list(own.glob("*.npz"))) == len(drive.key_sweeps) for own in frames):
            continue
        for _ in teach(folder, drive, create_teacher("fusion", drive), key_images(drive), SIZE):
            pass
        for kind, taught in (("teacher", TaughtDrive(folder)), ("lidar", None)):
            config = SupervisionConfig(true_labels=True, neighbours=taught is not None)
            list(prepare(bench.out / kind, [DriveSupervisor(drive, taught, config)], SIZE, config))


def held_out(first: int, count: int) -> list[SupervisedFrame]:
    """Simulates streets with exact truth, each with the next key-frame."""
    config = SimulationConfig(height=SIZE[0], width=SIZE[1], supersampling=SHARPNESS)
    frames = []
    for seed in tqdm(range(first, first + count), desc="held-out streets", unit="street"):
        scene = sample_scene(seed, StreetStyle(fastest_m_s=15.0))
        frames.append(replace(simulate_sweep(scene, 0, config), others=(simulate_others(scene, 0, "next", config),)))
    return frames


def train(bench: Bench, name: str, variant: Variant, seed: int, codec: FeatureCodec) -> ScenePredictor:
    """Makes one run, or goes on with it."""
    objective = ObjectiveConfig(
        weights=variant.weights(),
        others=variant.others or KEY_FRAMES,
        render_cameras=2,
        crop_columns=22,
        points=3000,
        one_stage_share=0.0,
    )
    config = TrainConfig(
        out=bench.out / "runs" / f"{_slug(name)}_{seed}",
        steps=bench.steps,
        depth_steps=bench.depth_steps if variant.knows_depth else 0,
        warmup_steps=20,
        ema_decay=0.98,
        seed=seed,
        predictor=variant.architecture(),
        objective=objective,
    )
    trainer = Trainer(config, PreparedFrames(bench.out / ("teacher" if variant.taught else "lidar")), codec)
    trainer.resume()
    trainer.run()
    predictor = ScenePredictor(config.predictor)
    predictor.load_state_dict(trainer.averaged)
    return predictor.eval()


@torch.inference_mode()
def judge(
    predictor: ScenePredictor,
    language: CodecTextSpace,
    tuned: Sequence[SupervisedFrame],
    judged: Sequence[SupervisedFrame],
) -> Figures:
    """Chooses the density of occupied voxels on some streets, and measures on others."""
    threshold = max(THRESHOLDS, key=lambda value: _mean_iou(_method(predictor, language, value), tuned))
    method = _method(predictor, language, threshold)
    rows = [_measure(method, predictor, frame) for frame in judged]
    return {name: statistics.fmean(row[name] for row in rows) for name in rows[0]} | {"threshold": threshold}


def _method(predictor: ScenePredictor, language: CodecTextSpace, threshold: float) -> PipelineMethod:
    config = PerceptionConfig(occupancy=OccupancyConfig(density_threshold=threshold))
    return PipelineMethod(PerceptionPipeline(predictor, language, config))


def _mean_iou(method: PipelineMethod, frames: Sequence[SupervisedFrame]) -> float:
    return statistics.fmean(_figures(method, frame)["iou"] for frame in frames)


def _figures(method: PipelineMethod, frame: SupervisedFrame) -> Figures:
    return frame_figures(method.estimate(frame.frame, tuple(QUERY_WORDS)), frame)


def _measure(method: PipelineMethod, predictor: ScenePredictor, frame: SupervisedFrame) -> Figures:
    field = method.pipeline.perceive(frame.frame, frozenset()).field
    following = frame.others[0]
    views = predictor.render(field, following.rig.resized(SIZE[0] // 2, SIZE[1] // 2), color=True)
    assert views.rgb is not None
    figures = _figures(method, frame) | {"next_psnr_db": psnr(views.rgb.clamp(0, 1), following.images)}
    return {name: figures[name] for name in COLUMNS}


def run(bench: Bench, names: Sequence[str], seeds: int, report: Path | None) -> dict[str, list[Figures]]:
    """Makes all runs that are missing, and prints the table after each."""
    prepare_frames(bench)
    codec = create_feature_codec(MiniLmEncoder(), VARIANTS[names[0]].architecture().language_channels)
    language = CodecTextSpace(codec, MiniLmEncoder())
    tuned, judged = held_out(FIRST_TUNED, TUNED_STREETS), held_out(FIRST_JUDGED, bench.judged)
    found: dict[str, list[Figures]] = {}
    for seed in range(seeds):
        for name in names:
            path = bench.out / "runs" / f"{_slug(name)}_{seed}" / "figures.json"
            if not path.exists():
                figures = judge(train(bench, name, VARIANTS[name], seed, codec), language, tuned, judged)
                path.write_text(json.dumps(figures))
            found.setdefault(name, []).append(json.loads(path.read_text()))
            Console(width=140).print(build_table(found))
            if report is not None:
                settings = {**asdict(bench), "seeds": seeds}
                report.write_text(json.dumps({"settings": settings, "figures": found}, default=str, indent=1) + "\n")
    return found


def build_table(found: Mapping[str, Sequence[Figures]]) -> Table:
    """Shows the mean over seeds, and half the range."""
    table = Table(title="what distillation adds: held-out simulated streets, mean over seeds and half their range")
    table.add_column("learnt from")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for name, rows in found.items():
        cells = [_cell([row[figure] for row in rows]) for figure in COLUMNS]
        if not VARIANTS[name].knows_classes:
            cells[list(COLUMNS).index("miou")] = "knows no classes"
        table.add_row(name, *cells)
    return table


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.3f} ± {(max(values) - min(values)) / 2:.3f}"


def _slug(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drives", type=int, default=26, help="drives that are learnt from")
    parser.add_argument("--steps", type=int, default=1000, help="optimiser steps of each run")
    parser.add_argument("--depth-steps", type=int, default=400, help="how many of them for the depth stages alone")
    parser.add_argument("--judged", type=int, default=8, help="streets that runs are judged on")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each variant")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bench = Bench(options.out, options.drives, options.steps, options.depth_steps, options.judged)
    run(bench, options.variants, options.seeds, options.json)


if __name__ == "__main__":
    main()
