"""Novel views: the key-frames before and after, from the field of this one (DistillNeRF, table 1)."""

from collections.abc import Mapping
from dataclasses import dataclass

from distillnerf_core.data.drive import Drive
from distillnerf_core.errors import DataError
from distillnerf_core.evaluation.pictures import camera_page, color_rows
from distillnerf_core.evaluation.protocols.base import (
    IMAGE_STATEMENTS,
    Glance,
    Measurement,
    image_figures,
    image_titles,
)
from distillnerf_core.evaluation.samples import neighbour_sweep
from distillnerf_core.evaluation.scenes import rendered_rgb

NAME = "novel-view"
_SIDES = {"next": 1, "previous": -1}


@dataclass(frozen=True)
class NovelView:
    """Renders the cameras of the neighbouring key-frames and compares with their images."""

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
            "Compared: colour rendered from the field of the key-frame into the cameras of the next and of the "
            "previous key-frame (0.5 s away in nuScenes), posed in the ego frame of the key-frame at their own "
            "exposures, with the images of those key-frames at the input's size. Objects that move are not "
            "compensated. A key-frame without a neighbour on a side counts on the other only.",
            *IMAGE_STATEMENTS,
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        return {key: title for side in _SIDES for key, title in image_titles(f"{side}_", f"{side} key-frame: ").items()}

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep."""
        neighbours = {side: neighbour_sweep(drive, sweep, step) for side, step in _SIDES.items()}
        present = {side: other for side, other in neighbours.items() if other is not None}
        if not present:
            raise DataError(f"{drive.name}: a single key-frame has no neighbour to be compared with")
        frame = self.glance.frame(drive, sweep)
        scene = self.glance.judged.perceive(frame)
        figures, pictures = {}, {}
        for side, other in present.items():
            target = self.glance.frame(drive, other, reference_ns=frame.stamp_ns)
            rgb, views = rendered_rgb(self.glance.judged, scene, target.rig, NAME)
            figures.update(image_figures(rgb, target.images, f"{side}_"))
            if draw:
                rows = color_rows(target.images, rgb, views, target.rig)
                title = f"{drive.name}, {side} key-frame {other} from the field of sweep {sweep}"
                pictures[side] = camera_page(title, target.rig.names, rows)
        return Measurement(figures, pictures)

    def totals(self) -> Mapping[str, float]:
        """Nothing: all figures are means over samples."""
        return {}
