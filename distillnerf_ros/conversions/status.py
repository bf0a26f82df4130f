"""The status message of a perceived frame."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from distillnerf_ros.conversions.fields import header
from distillnerf_ros.msg import FrameStatus

if TYPE_CHECKING:
    from distillnerf_ros.frame_memory import PerceivedFrame


class Totals(Protocol):
    """Running totals of an active node."""

    @property
    def processed(self) -> int:
        """Frames perceived."""

    @property
    def dropped(self) -> int:
        """Complete sweeps that were not perceived."""

    @property
    def latencies_ms(self) -> Sequence[float]:
        """Latencies of the newest frames."""


def frame_status(
    perceived: "PerceivedFrame",
    stamp_errors_ms: Sequence[float],
    stages_ms: Mapping[str, float],
    totals: Totals,
    base_frame: str,
) -> FrameStatus:
    """Returns what the node did with a frame.

    Args:
        perceived: The frame.
        stamp_errors_ms: By how much each image missed its place in the sweep, NaN where there is none.
        stages_ms: Duration of each stage.
        totals: Running totals, the newest latency last.
        base_frame: Frame of the outputs.
    """
    frame, occupancy = perceived.assembled.frame, perceived.result.occupancy
    return FrameStatus(
        header=header(frame.stamp_ns, base_frame),
        cameras=list(frame.rig.names),
        used=frame.camera_mask.tolist(),
        stamp_error_ms=list(stamp_errors_ms),
        motion_compensated=frame.motion_compensated,
        stages=list(stages_ms),
        stage_ms=list(stages_ms.values()),
        latency_ms=totals.latencies_ms[-1],
        frames_processed=totals.processed,
        frames_dropped=totals.dropped,
        occupied_voxels=0 if occupancy is None else len(occupancy.occupied.index),
    )
