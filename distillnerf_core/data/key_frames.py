"""Key-frames of nuScenes: the names and times by which labels of others are found."""

from typing import Protocol, runtime_checkable

from distillnerf_core.data.drive import Drive


@runtime_checkable
class TokenDrive(Protocol):
    """A drive of nuScenes, whose key-frames are samples with tokens."""

    def sample_token(self, sweep: int) -> str:
        """Returns the token of a key-frame."""

    def sample_stamp_ns(self, sweep: int) -> int:
        """Returns the time of a key-frame, that of its LiDAR revolution, in whose ego frame Occ3D labels are."""


def lidar_stamp_ns(drive: Drive, sweep: int) -> int:
    """Returns the time next to which the LiDAR revolution of a sweep is.

    Of key-frames of nuScenes this is the time of the sample: its revolution ends after the last of its images, so that
    the one before may be nearer to the sweep's own time. Of all else it is the time of the sweep.
    """
    if isinstance(drive, TokenDrive) and sweep in drive.key_sweeps:
        return drive.sample_stamp_ns(sweep)
    return drive.sweep_stamps_ns[sweep]
