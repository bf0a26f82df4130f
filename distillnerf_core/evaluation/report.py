"""Tables and files of an evaluation."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from distillnerf_core.evaluation.protocol import QUERY_WORDS, Summary

Results = Mapping[str, Mapping[str, Summary]]

GOALS: Mapping[str, tuple[str, float]] = {
    "abs_rel": ("<=", 0.10),
    "delta1": (">=", 0.80),
    "iou": (">=", 0.50),
    "miou": (">=", 0.30),
    "psnr_db": (">=", 23.0),
    **{f"ratio {word}": (">=", 3.0) for word in QUERY_WORDS},
}
"""What the project asks of the shipped checkpoint."""

TITLES: Mapping[str, str] = {
    "abs_rel": "depth AbsRel, below 50 m",
    "delta1": "depth delta < 1.25",
    "rmse_m": "depth RMSE, m",
    "iou": "occupancy IoU, visible",
    "miou": "occupancy mIoU, classes present",
    "psnr_db": "reconstruction PSNR, dB",
    **{f"ap {word}": f"query {word!r}: AP" for word in QUERY_WORDS},
    **{f"ratio {word}": f"query {word!r}: AP / frequency" for word in QUERY_WORDS},
}


def meets_goal(name: str, value: float) -> bool | None:
    """Says whether a figure reaches its goal; None where there is no goal."""
    if name not in GOALS:
        return None
    relation, goal = GOALS[name]
    return value <= goal if relation == "<=" else value >= goal


def build_table(results: Results) -> Table:
    """Lays out mean and spread over scenes, one column for each method, the product's first."""
    table = Table(title="Held-out simulated streets: mean +- spread over scenes")
    table.add_column("figure")
    for method in results:
        table.add_column(method, justify="right")
    table.add_column("goal", justify="right")
    table.add_column("")
    first = next(iter(results.values()))
    for name, title in TITLES.items():
        if name not in first:
            continue
        goal = " ".join(str(part) for part in GOALS[name]) if name in GOALS else ""
        verdict = {None: "", True: "met", False: "missed"}[meets_goal(name, first[name].mean)]
        table.add_row(title, *(_cell(figures[name]) for figures in results.values()), goal, verdict)
    return table


def write_json(path: Path, results: Results, info: Mapping[str, Any]) -> None:
    """Writes all figures."""
    plain = {
        method: {name: {"mean": s.mean, "spread": s.spread, "scenes": s.scenes} for name, s in figures.items()}
        for method, figures in results.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**info, "results": plain}, indent=1) + "\n", encoding="utf-8")


def _cell(summary: Summary) -> str:
    return "-" if math.isnan(summary.mean) else f"{summary.mean:.3f} +- {summary.spread:.3f}"


FIT_GOALS: Mapping[str, tuple[str, float]] = {
    "psnr_db": (">=", 22.0),
    "lidar_abs_rel": ("<=", 0.12),
    "query_ratio": (">=", 5.0),
}
"""What the project asks of a fit to one real frame."""


_FIT_ROWS = (
    "psnr_db",
    "before_psnr_db",
    "lidar_abs_rel",
    "before_lidar_abs_rel",
    "flat_ground_lidar_abs_rel",
    "lidar_delta1",
    "before_lidar_delta1",
    "flat_ground_lidar_delta1",
    "lidar_pixels",
    "query_found",
    "query_precision",
    "query_base_rate",
    "query_ratio",
)


def build_fit_table(figures: list[dict[str, float]], word: str, minutes: float) -> Table:
    """Lays out the figures of a fit, one column for each frame."""
    table = Table(title=f"Fit to real frames, {minutes:.1f} minutes; query {word!r}")
    table.add_column("figure")
    for number, row in enumerate(figures):
        table.add_column(f"frame {number}, held out" if row["held_out"] else f"frame {number}", justify="right")
    table.add_column("goal", justify="right")
    for name in _FIT_ROWS:
        goal = " ".join(str(part) for part in FIT_GOALS[name]) if name in FIT_GOALS else ""
        table.add_row(name, *(f"{row[name]:.3f}" for row in figures), goal)
    return table
