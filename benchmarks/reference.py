"""Time and memory of each stage of the published network, and of naive forms of its dearest parts beside ours.

    python -m benchmarks.reference [--variant reference-linear ...] [--height 128 --width 228] [--cameras 6]
                                   [--skip-prior] [--json FILE]

Weights are random but seeded, images simulated. Exits with 1 where a naive form and ours differ. Memory is the rise of
the resident memory at its highest. The naive scorer sees one camera and the naive renderer some of the rays; beside
them stands what ours takes for the same.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.cost import Cost, measure
from benchmarks.reference_inputs import seeded_predictor, simulated_frame, smooth_noise
from benchmarks.reference_naive import pool_points, render_densely, score_candidates
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.model.lifting import LiftedVoxels, pool
from distillnerf_core.model.reference.fine import FineEstimate
from distillnerf_core.model.reference.variants import VARIANTS, ReferenceConfig
from distillnerf_core.model.renderer import render_rays
from distillnerf_core.model.scene_field import SceneField

COMPARED_RAYS = 1024
TOLERANCE = 1e-5
"""Largest difference allowed, as a share of the largest magnitude of a tensor."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        stage: What was measured.
        lean: What our form takes.
        naive: What the naive form takes, where there is one.
        difference: Largest difference of the two, as a share of the largest magnitude.
    """

    stage: str
    lean: Cost
    naive: Cost | None = None
    difference: float | None = None


@dataclass(frozen=True)
class Encoded:
    """What the stages of encoding hand on; the scorer's inputs are the first camera's."""

    scorer_inputs: tuple[Tensor, Tensor]
    fine: FineEstimate
    lifted: LiftedVoxels
    field: SceneField


class Bench:
    """Measures one variant on one glance; the rows are in `rows`.

    Args:
        config: The variant.
        cameras: How many cameras of the simulated rig take part.
        skip_prior: Draw the prior's features at random.
    """

    def __init__(self, config: ReferenceConfig, cameras: int, skip_prior: bool) -> None:
        self.config = config
        self.predictor = seeded_predictor(config)
        frame = simulated_frame(config, cameras)
        self.images, self.rig = frame.images, frame.rig
        self.skip_prior = skip_prior
        self.rows: list[Row] = []

    def run(self) -> None:
        """Measures every stage, then the naive forms."""
        encoded = self._encode()
        self._render(encoded.field)
        self._compare_scorer(*encoded.scorer_inputs)
        self._compare_pooling(encoded.fine, encoded.lifted)
        self._compare_rendering(encoded.field)

    def _encode(self) -> Encoded:
        """Goes through the stages of `ReferencePredictor.encode` one by one."""
        predictor, images = self.predictor, self.images
        if self.skip_prior:
            prior = smooth_noise(len(images), *self.config.input_size)
        else:
            prior = self._stage("depth prior", lambda: predictor.depth_prior(images))
        coarse = self._stage("coarse depth", lambda: predictor.coarse_depth(images, prior))
        seen: list[tuple[Tensor, Tensor]] = []
        hook = predictor.fine_depth.scorer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
        fine = self._stage("fine depth", lambda: predictor.fine_depth(images, coarse.features, coarse.distance_m))
        hook.remove()
        lifted = self._stage("lifting and pooling", lambda: predictor.lift_and_pool(fine, self.rig))
        field = self._stage("sparse network and field", lambda: predictor.field(lifted))
        return Encoded(seen[0], fine, lifted, field)

    def _render(self, field: SceneField) -> None:
        predictor, rig = self.predictor, self.rig.resized(*self.config.render_size)
        features, _ = self._stage("rendering", lambda: predictor.composite(field, field.appearance, rig))
        self._stage("decoder", lambda: predictor.decode(features))

    def _stage(self, name: str, call: Callable[[], Result]) -> Result:
        result, cost = measure(call)
        self.rows.append(Row(name, cost))
        return result

    def _compare_scorer(self, features: Tensor, distances_m: Tensor) -> None:
        scorer = self.predictor.fine_depth.scorer
        self._compare(
            "candidate scorer, 1 camera",
            lambda: (scorer(features, distances_m),),
            lambda: (score_candidates(scorer, features, distances_m),),
        )

    def _compare_pooling(self, fine: FineEstimate, lifted: LiftedVoxels) -> None:
        points = self.predictor.lift(fine.frustum, self.rig)
        given = (fine.frustum, points, fine.features, self.config.space, self.config.levels)

        def lean() -> tuple[Tensor, ...]:
            pooled = pool(*given)
            return pooled.structure.fine_keys, pooled.fine, pooled.structure.coarse_keys, pooled.coarse

        points_count, fine_count, coarse_count = points[..., 0].numel(), len(lifted.fine), len(lifted.coarse)
        name = f"pooling, {points_count} points in {fine_count} + {coarse_count} voxels"
        self._compare(name, lean, lambda: pool_points(*given))

    def _compare_rendering(self, field: SceneField) -> None:
        config = self.config
        rays = self.predictor.rays(self.rig.resized(*config.render_size))
        origins, directions = rays.origins_m.reshape(-1, 3), rays.directions.reshape(-1, 3)
        chosen = torch.linspace(0, len(origins) - 1, min(COMPARED_RAYS, len(origins))).long()
        origins, directions = origins[chosen], directions[chosen]

        def lean() -> tuple[Tensor, ...]:
            rendered = render_rays(field, field.appearance, origins, directions, config.renderer)
            return rendered.features, rendered.distance_m, rendered.opacity

        name = f"rendering, {len(chosen)} rays"
        self._compare(name, lean, lambda: render_densely(field, origins, directions, config.renderer))

    def _compare(
        self, name: str, lean: Callable[[], tuple[Tensor, ...]], naive: Callable[[], tuple[Tensor, ...]]
    ) -> None:
        ours, lean_cost = measure(lean)
        theirs, naive_cost = measure(naive)
        difference = max(relative_difference(*pair) for pair in zip(ours, theirs, strict=True))
        self.rows.append(Row(name, lean_cost, naive_cost, difference))


def relative_difference(one: Tensor, other: Tensor) -> float:
    """Returns the largest difference of two tensors as a share of the second's largest magnitude.

    It is infinite where shapes or integers differ, or either holds a number that is not finite.
    """
    if one.shape != other.shape or not one.is_floating_point():
        return 0.0 if torch.equal(one, other) else math.inf
    difference = float((one - other).abs().max() / other.abs().max().clamp_min(torch.finfo(other.dtype).tiny))
    return difference if math.isfinite(difference) else math.inf


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Prints one variant's rows; ratios are those of the naive form to ours."""
    table = Table(title=title)
    columns = ("stage", "lean ms", "lean MiB", "naive ms", "naive MiB", "ratio ms", "ratio MiB", "difference")
    for column in columns:
        table.add_column(column, justify="left" if column == "stage" else "right")
    for row in rows:
        cells = [f"{row.lean.milliseconds:.1f}", f"{row.lean.mebibytes:.0f}"]
        if row.naive is not None:
            cells += [f"{row.naive.milliseconds:.1f}", f"{row.naive.mebibytes:.0f}"]
            cells.append(f"{row.naive.milliseconds / row.lean.milliseconds:.1f}")
            cells.append(f"{row.naive.mebibytes / max(row.lean.mebibytes, 1.0):.1f}")
            cells.append(f"{row.difference:.1e}")
        table.add_row(row.stage, *cells)
    peak = max(row.lean.process_mebibytes for row in rows)
    table.caption = f"process at its highest with our forms: {peak:.0f} MiB"
    Console(width=140).print(table)


def run(config: ReferenceConfig, cameras: int, skip_prior: bool) -> list[Row]:
    """Measures a variant and prints its table."""
    with torch.no_grad(), flushed_denormals():
        bench = Bench(config, cameras, skip_prior)
        bench.run()
    size = f"{cameras} cameras {config.image_height}x{config.image_width}"
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    print_table(f"{config.name}, {size}, {machine}", bench.rows)
    return bench.rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name, config in VARIANTS.items() if not config.feature_head]
    parser.add_argument("--variant", nargs="+", choices=names, default=names[:2])
    parser.add_argument("--height", type=int, help="of the images; default: the variant's")
    parser.add_argument("--width", type=int, help="of the images; default: the variant's")
    parser.add_argument("--cameras", type=int, choices=range(1, 7), default=6)
    parser.add_argument("--skip-prior", action="store_true", help="draw its features at random: it takes minutes")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def main() -> None:
    """Measures the variants asked for; exits with 1 where forms differ."""
    arguments = _arguments()
    figures: dict[str, list[Row]] = {}
    for name in arguments.variant:
        config = VARIANTS[name]
        size = arguments.height or config.image_height, arguments.width or config.image_width
        figures[name] = run(config.at_size(*size), arguments.cameras, arguments.skip_prior)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        content = {name: [asdict(row) for row in rows] for name, rows in figures.items()}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if any((row.difference or 0.0) > TOLERANCE for rows in figures.values() for row in rows):
        sys.exit(f"a naive form and ours differ by more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
