"""What all protocols have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from distillnerf_core.data.drive import Drive
from distillnerf_core.data.drive_frames import Resize, drive_frame
from distillnerf_core.evaluation.metrics import psnr, ssim
from distillnerf_core.evaluation.scenes import Judged
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.perception.pictures.colors import Image


@dataclass(frozen=True)
class Measurement:
    """What a protocol found on one sample.

    Attributes:
        figures: Figures by name; NaN, or absent, where one is not defined.
        pictures: Pictures by name; none unless they were asked for.
    """

    figures: Mapping[str, float]
    pictures: Mapping[str, Image] = field(default_factory=dict)


@runtime_checkable
class EvaluationProtocol(Protocol):
    """A protocol for one checkpoint; it keeps what adds up over samples."""

    @property
    def name(self) -> str:
        """Name, as on the command line."""

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured, and how, in full sentences."""

    @property
    def titles(self) -> Mapping[str, str]:
        """Title of each figure, in order; figures without a title are left out of tables."""

    def measure(self, drive: Drive, sweep: int, draw: bool = False) -> Measurement:
        """Measures a key sweep.

        Args:
            drive: The drive.
            sweep: Number of the sweep.
            draw: Whether pictures are wanted.

        Raises:
            CheckpointError: If the checkpoint does not give what the protocol judges.
            DataError: If the data lack what it compares with.
        """

    def totals(self) -> Mapping[str, float]:
        """Returns the figures that are over the whole data set, not means over samples."""


@dataclass(frozen=True)
class Glance:
    """How the frames of a protocol come about.

    Attributes:
        judged: What is evaluated.
        resize: How images are resized.
    """

    judged: Judged
    resize: Resize = "area"

    def frame(self, drive: Drive, sweep: int, reference_ns: int | None = None) -> MultiViewFrame:
        """Returns the cameras that a sweep has, at the network's size, in the ego frame of a time."""
        return drive_frame(drive, sweep, *self.judged.input_size, reference_ns, self.resize).visible()

    @property
    def statement(self) -> str:
        """What the network is given."""
        height, width = self.judged.input_size
        how = "averaging over areas" if self.resize == "area" else "bilinear interpolation without low-pass"
        return (
            f"Input: all cameras of the key-frame at {width} x {height} pixels, resized by {how}; extrinsics hold the "
            "motion of the vehicle between each exposure and the key-frame's time."
        )


IMAGE_STATEMENTS = (
    "PSNR: -10 log10 of the mean squared error over all cameras, pixels and channels of a sample, values in [0, 1], "
    "predictions not clamped, then the mean over samples; `clamped`: the same with predictions clamped to [0, 1].",
    "SSIM: scikit-image's default (7 x 7 uniform window, data range 1), mean over the channels and images of a sample, "
    "predictions not clamped, then the mean over samples.",
)


def image_figures(
    predicted: Float[Tensor, "cameras 3 height width"],
    truth: Float[Tensor, "cameras 3 height width"],
    prefix: str = "",
) -> dict[str, float]:
    """Compares colours, unclamped and clamped (reference network, section 4.6)."""
    return {
        f"{prefix}psnr_db": psnr(predicted, truth),
        f"{prefix}psnr_clamped_db": psnr(predicted.clamp(0, 1), truth),
        f"{prefix}ssim": ssim(predicted, truth),
    }


def image_titles(prefix: str = "", what: str = "") -> dict[str, str]:
    """Returns the titles of the figures of :func:`image_figures`."""
    return {
        f"{prefix}psnr_db": f"{what}PSNR, dB",
        f"{prefix}psnr_clamped_db": f"{what}PSNR clamped, dB",
        f"{prefix}ssim": f"{what}SSIM",
    }
