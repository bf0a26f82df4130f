"""Reconstruction: the input images rendered back (DistillNeRF, table 1)."""

from collections.abc import Mapping
from dataclasses import dataclass

from distillnerf_core.data.drive import Drive
from distillnerf_core.evaluation.pictures import camera_page, color_rows
from distillnerf_core.evaluation.protocols.base import (
    IMAGE_STATEMENTS,
    Glance,
    Measurement,
    image_figures,
    image_titles,
)
from distillnerf_core.evaluation.scenes import rendered_rgb

NAME = "reconstruction"


@dataclass(frozen=True)
class Reconstruction:
    """Renders the cameras of the input and compares with the input."""

    glance: Glance

    @property
    def name(self) -> str:
        """Name on the command line."""
        return NAME

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured."""
        return (
            self.glance.statement,
            "Compared: colour rendered into the poses of the input cameras, with the input images, at their size.",
            *IMAGE_STATEMENTS,
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        return image_titles()

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep."""
        frame = self.glance.frame(drive, sweep)
        scene = self.glance.judged.perceive(frame)
        rgb, views = rendered_rgb(self.glance.judged, scene, frame.rig, NAME)
        pictures = {}
        if draw:
            rows = color_rows(frame.images, rgb, views, frame.rig)
            pictures["cameras"] = camera_page(f"{drive.name}, sweep {sweep}", frame.rig.names, rows)
        return Measurement(image_figures(rgb, frame.images), pictures)

    def totals(self) -> Mapping[str, float]:
        """Nothing: all figures are means over samples."""
        return {}
