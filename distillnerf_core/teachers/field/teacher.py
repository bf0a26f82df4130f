"""The teacher `field`: dense depth and virtual views from a neural field that was fitted to the drive."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.teachers.field.config import FieldTeacherConfig
from distillnerf_core.teachers.field.coverage import images_around, in_sight
from distillnerf_core.teachers.field.drive_rays import SkyMasks, resize_mask, resize_pixels
from distillnerf_core.teachers.field.field_rays import MEAN_APPEARANCE
from distillnerf_core.teachers.field.ray_spacing import FAR_M
from distillnerf_core.teachers.field.trainer import FieldTrainer
from distillnerf_core.teachers.field.views import FieldView, Floats, render_view
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import Offset, TaughtView

_LEAST_OPACITY = 0.9
_MOST_DIFFERENCE = 0.1


class FieldTeacher:
    """Implements `Teacher` by sections 3 to 7, repaired by section 10.

    Args:
        drive: The drive.
        trainer: A run on it, done.
        sky_masks: Gives the sky of an image; None: where the field is transparent.

    Attributes:
        field: The field.
        frame: Its frame and clock.
    """

    name = "field"

    def __init__(self, drive: Drive, trainer: FieldTrainer, sky_masks: SkyMasks | None = None) -> None:
        self._drive, self._trainer, self._sky_masks = drive, trainer, sky_masks
        self.field, self.frame = trainer.field, trainer.frame

    @classmethod
    def fitted(
        cls,
        drive: Drive,
        config: FieldTeacherConfig,
        out: Path,
        sky_masks: SkyMasks | None = None,
        progress: bool = True,
    ) -> "FieldTeacher":
        """Fits a field, going on where a killed run stopped.

        Args:
            drive: The drive.
            config: Settings.
            out: Folder of the run.
            sky_masks: Gives the sky of an image.
            progress: Show a bar.

        Raises:
            DataError: If the drive cannot be read.
            CheckpointError: If the folder holds another run.
        """
        trainer = FieldTrainer(drive, config, out, sky_masks)
        trainer.resume()
        trainer.run(progress)
        return cls(drive, trainer, sky_masks)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Configuration as plain JSON values."""
        fixed = {"device", "chunk_rays", "checkpoint_minutes", "log_every"}
        plain = self._trainer.config.model_dump(mode="json", exclude=fixed)
        return {**plain, "sky_masks": self._sky_masks is not None}

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        """Returns an image of the drive at a size, with the field's distances."""
        view = self.rendered(image, PlacedCamera.of(image, height, width))
        sky = view.opacity < 0.5
        certainty = 1.0 - view.opacity
        if self._sky_masks is not None:
            sky = resize_mask(self._sky_masks(image), (height, width))
            certainty = np.ones_like(view.opacity)
        distance, confidence = judge_distance(view, sky, certainty)
        pixels = resize_pixels(self._drive.read_image(image), (height, width))
        return TaughtView(pixels, distance, sky, confidence, sky | ~np.isnan(distance))

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        """Returns what the camera of an image would see from elsewhere at the same time."""
        camera = PlacedCamera.of(image, height, width).moved(offset_m)
        view = self.rendered(image, camera)
        sky = view.opacity < 0.5
        distance, confidence = judge_distance(view, sky, 1.0 - view.opacity)
        points = camera.points(np.where(sky, np.float32(FAR_M), np.nan_to_num(distance)))
        around = images_around(self._trainer.split.images, image.stamp_ns)
        seen = (sky | ~np.isnan(distance)) & in_sight(points, around)
        return TaughtView(view.pixels, distance, sky, np.where(seen, confidence, np.float32(0.0)), seen)

    def rendered(self, image: DriveImage, camera: PlacedCamera) -> FieldView:
        """Renders a camera at the time and with the appearance of an image."""
        trainer = self._trainer
        appearance = self._appearance(image)
        return render_view(trainer.field, trainer.frame, camera, image.stamp_ns, appearance, trainer.config.chunk_rays)

    def _appearance(self, image: DriveImage) -> int:
        """Returns the row of the image, or of its camera's nearest one in time (section 10, item 11)."""
        same = [
            (abs(other.stamp_ns - image.stamp_ns), row)
            for row, other in enumerate(self._trainer.split.images)
            if other.camera == image.camera
        ]
        return min(same)[1] if same else MEAN_APPEARANCE


def judge_distance(view: FieldView, sky: NDArray[np.bool_], sky_certainty: Floats) -> tuple[Floats, Floats]:
    """Returns distances, NaN where they are not to be trusted, and confidence (section 9.1 c).

    Distances are dropped where the expected one differs from the median by more than a tenth (flying pixels at
    edges), or the opacity is below 0.9. The confidence is the opacity times exp(-10 spread / distance).
    """
    agreeing = np.abs(view.distance_m - view.median_m) <= _MOST_DIFFERENCE * view.median_m
    surface = ~sky & agreeing & (view.opacity >= _LEAST_OPACITY)
    spread = view.spread_m / np.maximum(_MOST_DIFFERENCE * view.distance_m, 1e-3)
    confidence = np.where(sky, sky_certainty, np.where(surface, view.opacity * np.exp(-spread), 0.0))
    distance = np.where(surface, view.distance_m, np.nan)
    return distance.astype(np.float32), confidence.clip(0.0, 1.0).astype(np.float32)
