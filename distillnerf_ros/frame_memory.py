"""The perceived frames that services answer from."""

import threading
from collections import deque
from dataclasses import dataclass

from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.streams.frame_assembler import AssembledFrame


@dataclass(frozen=True)
class PerceivedFrame:
    """The newest answer to "what is around".

    Attributes:
        result: Everything that was derived from the sweep.
        assembled: The sweep's images and frames.
        completed_ns: Monotonic time of completion.
    """

    result: PerceptionResult
    assembled: AssembledFrame
    completed_ns: int

    @property
    def cameras_used(self) -> list[str]:
        """Names of the cameras whose image was used."""
        frame = self.assembled.frame
        return [name for name, used in zip(frame.rig.names, frame.camera_mask.tolist(), strict=True) if used]


class FrameMemory:
    """Remembers the newest frames until time jumps back; any thread may use it.

    Args:
        size: Most frames to remember.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._frames: deque[PerceivedFrame] = deque(maxlen=size)
        self._generation = 0

    @property
    def generation(self) -> int:
        """Number of times that everything was forgotten."""
        return self._generation

    @property
    def newest(self) -> PerceivedFrame | None:
        """The newest frame, None before the first and after forgetting."""
        with self._lock:
            return self._frames[-1] if self._frames else None

    def nearest(self, stamp_ns: int) -> PerceivedFrame | None:
        """Returns the frame nearest in time; the newest for a stamp of 0."""
        with self._lock:
            if not (stamp_ns and self._frames):
                return self._frames[-1] if self._frames else None
            return min(self._frames, key=lambda frame: abs(frame.result.stamp_ns - stamp_ns))

    def remember(self, frame: PerceivedFrame, generation: int) -> bool:
        """Remembers a frame, unless everything was forgotten since the work on it began."""
        with self._lock:
            if generation != self._generation:
                return False
            self._frames.append(frame)
            return True

    def forget(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._generation += 1
            self._frames.clear()
