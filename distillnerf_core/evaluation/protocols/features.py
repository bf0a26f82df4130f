"""Rendered features against those of a foundation model, as PSNR (DistillNeRF, table 1, last columns)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import sweep_images
from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.evaluation.feature_targets import FeatureTargets
from distillnerf_core.evaluation.metrics import psnr, ssim
from distillnerf_core.evaluation.pictures import camera_page, feature_images, to_image
from distillnerf_core.evaluation.protocols.base import Glance, Measurement
from distillnerf_core.evaluation.scenes import render_size

NAME = "features"
_SSIM_WINDOW = 7


@dataclass(frozen=True)
class FeatureProtocol:
    """Renders features into the cameras of the input and compares with targets.

    Attributes:
        glance: How frames come about.
        targets: Where the targets come from.
    """

    glance: Glance
    targets: FeatureTargets

    @property
    def name(self) -> str:
        """Name on the command line."""
        return NAME

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured."""
        height, width = render_size(self.glance.judged)
        return (
            self.glance.statement,
            f"Truth: {self.targets.description}, at {width} x {height} pixels.",
            "Feature PSNR: -10 log10 of the mean squared error over all channels and known pixels of all cameras of a "
            "sample, with a peak of 1 and no clamping, then the mean over samples."
            + (" Both sides are unit vectors." if self.targets.normalised else ""),
            "Feature SSIM (7 x 7 uniform window, data range 1) only for samples of which every pixel is known.",
        )

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of the figures."""
        return {"psnr_db": "feature PSNR, dB", "ssim": "feature SSIM", "known": "share of pixels compared"}

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep."""
        size = render_size(self.glance.judged)
        images = [image for image in sweep_images(drive, sweep) if image is not None]
        targets = torch.stack([self.targets.read(drive, image, *size) for image in images])
        frame = self.glance.frame(drive, sweep)
        rendered = self.glance.judged.perceive(frame).render(frame.rig.resized(*size), language=True).language
        if rendered is None:
            raise CheckpointError(
                f"{self.glance.judged.name} cannot be evaluated on {NAME}: it renders colour, not features; use a "
                "variant with features, or a checkpoint of the package"
            )
        if rendered.shape[1] != targets.shape[1]:
            raise DataError(
                f"{self.glance.judged.name} renders {rendered.shape[1]} channels, the targets have {targets.shape[1]}: "
                "use the targets that it was trained with"
            )
        if self.targets.normalised:
            rendered = normalize(rendered, dim=1)
        known = ~targets.isnan().any(dim=1)
        found, wanted = rendered.permute(0, 2, 3, 1)[known], targets.permute(0, 2, 3, 1)[known]
        if not len(found):
            raise DataError(f"{drive.name}, sweep {sweep}: no pixel of the targets is known")
        figures = {"psnr_db": psnr(found, wanted), "known": float(known.float().mean())}
        if bool(known.all()) and min(size) >= _SSIM_WINDOW:
            figures["ssim"] = ssim(rendered, targets)
        pictures = {}
        if draw:
            truth, prediction = feature_images(targets, rendered)
            rows = [("input", [to_image(image) for image in frame.images]), ("target", truth), ("rendered", prediction)]
            pictures["features"] = camera_page(f"{drive.name}, sweep {sweep}: features", frame.rig.names, rows)
        return Measurement(figures, pictures)

    def totals(self) -> Mapping[str, float]:
        """Nothing: all figures are means over samples."""
        return {}
