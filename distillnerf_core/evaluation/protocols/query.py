"""Text queries: average precision of voxels that a word finds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.occupancy_truth import OccupancySource
from distillnerf_core.evaluation.metrics import average_precision
from distillnerf_core.evaluation.pictures import query_page
from distillnerf_core.evaluation.protocols.base import Glance, Measurement
from distillnerf_core.evaluation.scenes import require_texts
from distillnerf_core.language.classes import CLASS_NAMES, UNKNOWN

NAME = "query"


@dataclass(frozen=True)
class QueryProtocol:
    """Asks for words that mean a class and ranks voxels by their score.

    Attributes:
        glance: How frames come about.
        source: Where the true classes come from.
        words: What is asked for, and the class that each word means.
    """

    glance: Glance
    source: OccupancySource
    words: Mapping[str, str]

    @property
    def name(self) -> str:
        """Name on the command line."""
        return NAME

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured."""
        meant = ", ".join(f"`{word}` means {class_name}" for word, class_name in self.words.items())
        return (
            self.glance.statement,
            f"Truth: {self.source.description}.",
            *self.glance.judged.statements[:1],
            f"Asked: {meant}. With the package's own checkpoints each word stands for itself; with published CLIP "
            "variants the words of the list compete, as published.",
            "Average precision of each word over the voxels of the camera mask, free ones included with the score 0 "
            "where nothing is predicted: sum over recall steps of (R_n - R_(n-1)) P_n, ties taken together; mean over "
            "the samples that have the class. `frequency` is what a random order reaches.",
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        titles = {"mean_ap": "mean AP over the words present"}
        for word in self.words:
            titles |= {f"ap {word}": f"{word!r}: AP", f"frequency {word}": f"{word!r}: frequency"}
        return titles

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep."""
        require_texts(self.glance.judged, NAME)
        truth = self.source.read(drive, sweep)
        frame = self.glance.frame(drive, sweep, reference_ns=self.source.stamp_ns(drive, sweep))
        scores = self.glance.judged.perceive(frame).scores(tuple(self.words))
        known = truth.camera_mask & (truth.labels != UNKNOWN)
        figures: dict[str, float] = {}
        for row, (word, class_name) in enumerate(self.words.items()):
            positive = truth.labels[known] == CLASS_NAMES.index(class_name)
            figures[f"ap {word}"] = average_precision(scores[row][known], positive)
            frequency = float(positive.float().mean())
            figures[f"frequency {word}"] = frequency if frequency > 0 else math.nan
        found = [figures[f"ap {word}"] for word in self.words if not math.isnan(figures[f"ap {word}"])]
        figures["mean_ap"] = sum(found) / len(found) if found else math.nan
        pictures = {}
        if draw:
            title = f"{drive.name}, sweep {sweep}: true class above, score below"
            pictures["query"] = query_page(title, truth, scores, self.words)
        return Measurement(figures, pictures)

    def totals(self) -> Mapping[str, float]:
        """Nothing: all figures are means over samples."""
        return {}
