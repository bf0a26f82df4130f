"""Which images and LiDAR revolutions of a drive a field learns from, and which are left for testing."""

from dataclasses import dataclass

import numpy as np

from distillnerf_core.data.drive import Drive, DriveImage

_LIDAR_MARGIN_NS = 50_000_000


@dataclass(frozen=True)
class DriveSplit:
    """A division of a drive.

    Attributes:
        images: To learn from.
        held_out: To test with.
        scans: LiDAR revolutions to learn from.
    """

    images: tuple[DriveImage, ...]
    held_out: tuple[DriveImage, ...]
    scans: tuple[int, ...]

    @classmethod
    def of(cls, drive: Drive, sweep_step: int = 1, hold_out_every: int = 0) -> "DriveSplit":
        """Divides a drive (section 2.5); LiDAR within 50 ms of a held-out sweep is held out with it.

        Args:
            drive: The drive.
            sweep_step: Learn from each n-th sweep.
            hold_out_every: Hold out each n-th sweep, from the middle of the first n; 0 for none.
        """

        def held(sweep: int) -> bool:
            return hold_out_every > 0 and sweep % hold_out_every == hold_out_every // 2

        out = tuple(image for image in drive.images if held(image.sweep))
        stamps = np.array([stamp for sweep, stamp in enumerate(drive.sweep_stamps_ns) if held(sweep)], dtype=np.int64)
        return cls(
            images=tuple(image for image in drive.images if not held(image.sweep) and image.sweep % sweep_step == 0),
            held_out=out,
            scans=tuple(
                index
                for index, stamp in enumerate(drive.scan_stamps_ns)
                if not bool((np.abs(stamps - stamp) <= _LIDAR_MARGIN_NS).any())
            ),
        )
