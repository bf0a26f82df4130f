"""Tables, JSON and a Markdown report of an evaluation by a protocol."""

import json
import math
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PillowImage
from rich.table import Table

from distillnerf_core import __version__
from distillnerf_core.errors import DataError
from distillnerf_core.evaluation.running import Evaluation, Figure

REPORT_FILE = "report.md"


def protocol_table(evaluation: Evaluation, checkpoint: str) -> Table:
    """Lays out the figures of a checkpoint."""
    table = Table(title=f"{evaluation.protocol}: {checkpoint}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("spread over samples", justify="right")
    table.add_column("samples", justify="right")
    for figure in evaluation.figures:
        table.add_row(figure.title, _number(figure.value), _spread(figure), str(figure.samples))
    return table


def machine() -> dict[str, str]:
    """Returns what the evaluation ran on: system, processor, GPU and versions, no names."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "system": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "distillnerf": __version__,
    }


def write_protocol_json(path: Path, evaluation: Evaluation, info: Mapping[str, Any]) -> None:
    """Writes the figures, those of each sample, and what was done; what is not finite becomes null.

    Raises:
        DataError: If the file cannot be written.
    """
    content = {
        **info,
        "protocol": evaluation.protocol,
        "statements": evaluation.statements,
        "machine": machine(),
        "figures": {
            figure.name: {
                "title": figure.title,
                "value": _finite(figure.value),
                "spread": None if figure.spread is None else _finite(figure.spread),
                "samples": figure.samples,
            }
            for figure in evaluation.figures
        },
        "rows": [
            {"drive": drive, "sweep": sweep, **{name: _finite(value) for name, value in row.items()}}
            for drive, sweep, row in evaluation.rows
        ],
    }
    _write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_report(folder: Path, evaluation: Evaluation, info: Mapping[str, Any], command: str) -> Path:
    """Writes report.md and its pictures; returns the path of the former.

    Args:
        folder: Where to; made if need be.
        evaluation: The results.
        info: What was evaluated, for the list at the top.
        command: The command line that makes it again.

    Raises:
        DataError: If a file cannot be written.
    """
    lines = [f"# Protocol `{evaluation.protocol}`", ""]
    lines += [f"- {name}: {value}" for name, value in info.items()]
    lines += ["", "## What was measured", ""]
    lines += [f"- {statement}" for statement in evaluation.statements]
    lines += ["", "## Figures", "", "| figure | value | spread over samples | samples |", "|---|--:|--:|--:|"]
    for figure in evaluation.figures:
        lines.append(f"| {figure.title} | {_number(figure.value)} | {_spread(figure)} | {figure.samples} |")
    lines += ["", "## How to make it again", "", "```", command, "```", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    if evaluation.pictures:
        lines += ["", "## Pictures"]
    for name, picture in evaluation.pictures.items():
        _save(folder / f"{name}.png", picture)
        lines += ["", f"![{name}]({name}.png)"]
    path = folder / REPORT_FILE
    _write(path, "\n".join(lines) + "\n")
    return path


def _save(path: Path, picture: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        PillowImage.fromarray(picture).save(path)
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}; choose another folder") from err


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}; choose another place") from err


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}" if abs(value) < 1e6 else f"{value:g}"


def _spread(figure: Figure) -> str:
    return "" if figure.spread is None else _number(figure.spread)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
