"""What an active node answers from."""

import time
from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import Header

from distillnerf_core.perception.kept import KeptQueries
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import PerceptionResult, SemanticOccupancy
from distillnerf_ros.config import NodeConfig
from distillnerf_ros.conversions.fields import header, stamp_to_ns
from distillnerf_ros.frame_memory import PerceivedFrame
from distillnerf_ros.services.refusal import Refused, Status
from distillnerf_ros.session import PerceptionSession


@dataclass(frozen=True)
class Scene:
    """An active node at the time of a request.

    Attributes:
        pipeline: Perception with its text encoder.
        config: The node's configuration.
        session: Where frames and transforms come from.
        kept: Queries that are asked again of every frame.
        newest: The newest perceived frame, or the one asked for by its time; None before the first.
    """

    pipeline: PerceptionPipeline
    config: NodeConfig
    session: PerceptionSession
    kept: KeptQueries
    newest: PerceivedFrame | None

    @property
    def perceived(self) -> PerceivedFrame:
        """The newest perceived frame.

        Raises:
            Refused: Before the first one.
        """
        if self.newest is None:
            raise Refused(
                Status.NOT_READY,
                "no frame perceived yet: wait for camera images, or look at /diagnostics for what is missing",
            )
        return self.newest

    def at(self, stamp: Time) -> "Scene":
        """Returns the scene of the remembered frame that is nearest in time; this one for a stamp of zero."""
        return replace(self, newest=self.session.frames.nearest(stamp_to_ns(stamp)))

    @property
    def result(self) -> PerceptionResult:
        """What was perceived."""
        return self.perceived.result

    @property
    def occupancy(self) -> SemanticOccupancy:
        """The semantic occupancy, which the node always computes."""
        assert self.result.occupancy is not None
        return self.result.occupancy

    @property
    def header(self) -> Header:
        """Base frame and reference time of the newest frame."""
        return header(self.result.stamp_ns, self.config.tf.base_frame)

    def base_from(self, frame_id: str) -> NDArray[np.float64] | None:
        """Returns `base_from_frame` [4 4] at the time of the newest frame; None where it is the base frame.

        Raises:
            TransformError: Naming the frames.
        """
        if frame_id in ("", self.config.tf.base_frame):
            return None
        return self.session.base_from(frame_id, self.result.stamp_ns)

    def check_age(self) -> None:
        """Refuses an answer from an old frame, after it was given.

        Raises:
            Refused: If the newest frame is older than cache.max_age_s.
        """
        age_s, limit_s = (time.monotonic_ns() - self.perceived.completed_ns) / 1e9, self.config.cache.max_age_s
        if age_s > limit_s:
            raise Refused(
                Status.STALE,
                f"the newest frame is {age_s:.1f} s old, above cache.max_age_s = {limit_s:g}: check the cameras; "
                "the answer is from that frame",
            )
