"""What a smaller or coarser depth prior costs and changes, beside the published setting.

    python -m benchmarks.reference_prior [--checkpoint FILE] [--bag BAG] [--sizes 518 392 252 140] [--cameras 6]
                                         [--precisions float32 bfloat16] [--rounds 2] [--json FILE]

Without --checkpoint the weights are random but seeded, without --bag the images simulated: times and memory are then
those of a real checkpoint, while the changes say little, for random features do not carry depth. Features change by the
relative L2 distance to those of the published setting; the coarse depth made of them by the median over pixels of
|d - d0| / d0. Times are the shortest of some rounds over all settings. They depend on whether the processor computes
bfloat16 itself; the title says so.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.cost import Cost, measure
from benchmarks.reference_inputs import seeded_predictor, simulated_frame
from distillnerf_core.configuration import parse_config
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.model.depth_prior.extractor import DepthPrior, DepthPriorConfig, working_size
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import VARIANTS
from distillnerf_core.model.reference.weights_file import load_reference
from distillnerf_core.streams.bag_frames import frames_from_bag

SIZES, PRECISIONS = (518, 392, 252, 140), ("float32", "bfloat16")


@dataclass(frozen=True)
class Row:
    """One setting of the prior.

    Attributes:
        short_side_px: Shorter side of the working image.
        working_px: Its height and width.
        precision: Of the inner computation.
        cost: For all cameras.
        feature_change: Relative L2 distance of the features to those of the published setting.
        depth_change: Median relative change of the coarse depth.
    """

    short_side_px: int
    working_px: tuple[int, int]
    precision: str
    cost: Cost
    feature_change: float
    depth_change: float


def run(
    predictor: ReferencePredictor, images: Tensor, sizes: Sequence[int], precisions: Sequence[str], rounds: int = 1
) -> list[Row]:
    """Measures the published setting, then the others, and so on for some rounds; the shortest time counts.

    Args:
        predictor: The network.
        images: [cameras 3 height width], RGB in [0, 1].
        sizes: Shorter sides of the working image.
        precisions: Of the inner computation.
        rounds: How often all settings are measured, one after the other; the load of a machine changes meanwhile.
    """
    published = predictor.depth_prior
    asked = [at_setting(published.config, size, precision) for size in sizes for precision in precisions]
    priors = [rebuilt(published, setting) for setting in dict.fromkeys([published.config, *asked])]
    features = [prior(images) for prior in priors]  # what is set up once for a size is not measured
    distances = [predictor.coarse_depth(images, found).distance_m for found in features]
    costs = [[measure(partial(prior, images))[1] for prior in priors] for _ in range(rounds)]
    rows = []
    for number, prior in enumerate(priors):
        cost = min((measured[number] for measured in costs), key=lambda cost: cost.milliseconds)
        change = changes(features[number], distances[number], features[0], distances[0])
        rows.append(_row(prior.config, images, cost, change))
    return rows


def _row(config: DepthPriorConfig, images: Tensor, cost: Cost, change: tuple[float, float]) -> Row:
    size = working_size(images.shape[-2], images.shape[-1], config.short_side_px)
    return Row(config.short_side_px, size, config.precision, cost, *change)


def at_setting(config: DepthPriorConfig, size: int, precision: str) -> DepthPriorConfig:
    """Returns the prior of another size and precision."""
    values = {**config.model_dump(), "short_side_px": size, "precision": precision}
    return parse_config(values, DepthPriorConfig, "setting of the depth prior")


def rebuilt(prior: DepthPrior, config: DepthPriorConfig) -> DepthPrior:
    """Returns a prior that shares the weights of another and is run as configured."""
    with torch.device("meta"):
        other = DepthPrior(config)
    other.load_state_dict(prior.state_dict(), assign=True)
    return other.eval()


def changes(features: Tensor, distance_m: Tensor, features_0: Tensor, distance_0_m: Tensor) -> tuple[float, float]:
    """Returns the relative L2 distance of features and the median relative change of distances."""
    moved = torch.linalg.vector_norm(features - features_0) / torch.linalg.vector_norm(features_0)
    return float(moved), float(((distance_m - distance_0_m).abs() / distance_0_m).median())


def print_table(title: str, rows: Sequence[Row], cameras: int, caption: str) -> None:
    """Prints all settings; ratios are those of the published setting's time to the row's."""
    table = Table(title=title, caption=caption)
    columns = ("short side", "working image", "precision", "ms a camera", f"ms, {cameras} cameras", "MiB", "ratio")
    for column in (*columns, "features, rel. L2", "coarse depth, median"):
        table.add_column(column, justify="right")
    for row in rows:
        cost = row.cost
        table.add_row(
            str(row.short_side_px),
            f"{row.working_px[0]}x{row.working_px[1]}",
            row.precision,
            f"{cost.milliseconds / cameras:,.0f}",
            f"{cost.milliseconds:,.0f}",
            f"{cost.mebibytes:,.0f}",
            f"{rows[0].cost.milliseconds / cost.milliseconds:.1f}",
            f"{row.feature_change:.1e}",
            f"{row.depth_change:.1e}",
        )
    Console(width=150).print(table)


def _bfloat16_support() -> str:
    flags = Path("/proc/cpuinfo")
    known = flags.read_text(encoding="utf-8").split() if flags.exists() else []
    found = [name for name in ("avx512_bf16", "amx_bf16") if name in known]
    return f"with {' and '.join(found)}" if found else "without bfloat16 of their own"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="converted weights; default: seeded ones of reference-linear")
    parser.add_argument("--bag", type=Path, help="recording whose first frame is seen; default: a simulated one")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--rounds", type=int, default=2, help="over all settings; the shortest time counts")
    parser.add_argument("--cameras", type=int, choices=range(1, 7), default=6)
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def main() -> None:
    """Measures the settings asked for and prints their table."""
    arguments = _arguments()
    if arguments.checkpoint is None:
        predictor = seeded_predictor(VARIANTS["reference-linear"])
        caption = "seeded weights: the changes tell nothing of what a trained network loses"
    else:
        predictor = load_reference(arguments.checkpoint).predictor
        caption = f"weights of {arguments.checkpoint.name}"
    if arguments.bag is None:
        frame = simulated_frame(predictor.config, arguments.cameras)
    else:
        frame = next(frames_from_bag(arguments.bag, *predictor.input_size)).visible()
    images = frame.images[: arguments.cameras]
    with torch.no_grad(), flushed_denormals():
        rows = run(predictor, images, arguments.sizes, arguments.precisions, arguments.rounds)
    machine = f"{os.cpu_count()} cores {_bfloat16_support()}, {torch.get_num_threads()} threads"
    print_table(f"depth prior, {predictor.config.name}, {machine}", rows, len(images), caption)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
