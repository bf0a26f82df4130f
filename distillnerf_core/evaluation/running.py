"""Runs a protocol over samples."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from distillnerf_core.evaluation.protocols.base import EvaluationProtocol
from distillnerf_core.evaluation.samples import Sample
from distillnerf_core.perception.pictures.colors import Image


@dataclass(frozen=True)
class Figure:
    """A result.

    Attributes:
        name: Its key.
        title: What it is.
        value: Mean over the samples where it is defined, or the figure of the whole data set.
        spread: Standard deviation over these samples; None for a figure of the whole data set.
        samples: Their number.
    """

    name: str
    title: str
    value: float
    spread: float | None
    samples: int


@dataclass(frozen=True)
class Evaluation:
    """All results of a protocol.

    Attributes:
        protocol: Its name.
        statements: What it did.
        figures: Results, in order.
        rows: Figures of each sample, with its drive and sweep.
        pictures: Pictures by name.
    """

    protocol: str
    statements: tuple[str, ...]
    figures: tuple[Figure, ...]
    rows: tuple[tuple[str, int, Mapping[str, float]], ...]
    pictures: Mapping[str, Image]


def run_protocol(
    protocol: EvaluationProtocol,
    samples: Sequence[Sample],
    pictured: int = 0,
    progress: Callable[[], object] | None = None,
) -> Evaluation:
    """Measures every sample.

    Args:
        protocol: A protocol that has measured nothing yet.
        samples: What is judged.
        pictured: Of how many samples, from the first on, pictures are drawn.
        progress: Called after each sample.

    Raises:
        DistillNerfError: If the checkpoint or the data lack something; see `EvaluationProtocol.measure`.
    """
    rows, pictures = [], {}
    for number, sample in enumerate(samples):
        found = protocol.measure(sample.drive, sample.sweep, draw=number < pictured)
        rows.append((sample.drive.name, sample.sweep, found.figures))
        for name, picture in found.pictures.items():
            pictures[f"{sample.drive.name}_{sample.sweep:04d}_{name}"] = picture
        if progress is not None:
            progress()
    figures = _summarise(protocol, [row for _, _, row in rows])
    return Evaluation(protocol.name, protocol.statements, figures, tuple(rows), pictures)


def _summarise(protocol: EvaluationProtocol, rows: Sequence[Mapping[str, float]]) -> tuple[Figure, ...]:
    totals, figures = protocol.totals(), []
    for name, title in protocol.titles.items():
        if name in totals:
            figures.append(Figure(name, title, totals[name], None, len(rows)))
            continue
        values = torch.tensor([row[name] for row in rows if not math.isnan(row.get(name, math.nan))]).double()
        if len(values):
            spread = float(values.std()) if len(values) > 1 else 0.0
            figures.append(Figure(name, title, float(values.mean()), spread, len(values)))
    return tuple(figures)
