"""Says once a second how an active node's inputs and inference are doing."""

import time
from collections import deque
from collections.abc import Mapping
from statistics import quantiles

from distillnerf_core.streams.camera_set import CameraCounters
from distillnerf_ros.config import DiagnosticsConfig
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.memory import gpu_mib, resident_mib
from distillnerf_ros.session import PerceptionSession

RATE_WINDOW = 6
"""Reports (seconds) over which the rate of a camera is taken."""
LOW_RATE_SHARE = 0.5


class SessionHealth:
    """Reports cameras, synchroniser and latency of a session on a board.

    Args:
        session: The active session.
        board: Where the conditions go.
        config: When to warn.
        model: What to say of the network.
    """

    def __init__(
        self, session: PerceptionSession, board: HealthBoard, config: DiagnosticsConfig, model: Mapping[str, object]
    ) -> None:
        self._session = session
        self._board = board
        self._config = config
        self._model = model
        self._received: dict[str, deque[tuple[float, int]]] = {}
        self._missing: dict[str, deque[int]] = {}
        self._incomplete = 0
        self._slow_since_ns: int | None = None
        self._started_ns = time.monotonic_ns()

    def reconfigure(self, config: DiagnosticsConfig) -> None:
        """Takes other limits."""
        self._config = config

    def refresh(self) -> None:
        """Brings the board up to date."""
        counters = self._session.stream.synchroniser.counters
        rates = {name: self._rate_hz(name, counter) for name, counter in counters.items()}
        silence_s = {name: self._silence_s(name) for name in counters}
        shortest_s = min(silence_s.values())
        nobody = shortest_s > self._config.max_image_gap_s
        for name, counter in counters.items():
            figures = _figures(counter, rates[name])
            if nobody:
                self._board.stale(f"camera {name}", f"no image for {silence_s[name]:.0f} s", figures)
            else:
                self._report_camera(name, silence_s[name], rates[name], max(rates.values()), figures)
        self._report_input(nobody, shortest_s)
        self._report_listeners()
        self._board.ok("time")
        self._report_sync()
        self._report_latency()

    def _report_input(self, nobody: bool, silence_s: float) -> None:
        layout = self._session.stream.layout
        topics = ", ".join(camera.image_topic for camera in layout.cameras)
        if nobody:
            self._board.warn("input", f"no image on any of {topics} for {silence_s:.0f} s; is the source running?")
        else:
            self._board.ok("input", f"layout {layout.name}", {"topics": topics})

    def _report_listeners(self) -> None:
        if deaf := list(self._session.deaf_listeners()):
            self._board.warn("qos", f"{'; '.join(deaf)}; ask for less there, or see qos_overrides")
        else:
            self._board.ok("qos")

    def _silence_s(self, camera: str) -> float:
        return (time.monotonic_ns() - self._session.arrivals_ns.get(camera, self._started_ns)) / 1e9

    def _rate_hz(self, name: str, counter: CameraCounters) -> float:
        history = self._received.setdefault(name, deque(maxlen=RATE_WINDOW))
        history.append((time.monotonic(), counter.received))
        duration = history[-1][0] - history[0][0]
        return max(0, history[-1][1] - history[0][1]) / duration if duration > 0 else 0.0

    def _report_camera(
        self, name: str, silent_s: float, rate_hz: float, best_hz: float, figures: Mapping[str, object]
    ) -> None:
        part, topic = f"camera {name}", self._topic(name)
        if silent_s > self._config.max_image_gap_s:
            self._board.warn(part, f"no image on {topic} for {silent_s:.0f} s; check camera and cable", figures)
        elif len(self._received[name]) == RATE_WINDOW and rate_hz < LOW_RATE_SHARE * best_hz:
            self._board.warn(
                part,
                f"{rate_hz:.1f} Hz on {topic} where others have {best_hz:.1f} Hz: images are lost; use "
                "compressed images or the Fast DDS profile config/fastdds_large_images.xml",
                figures,
            )
        elif fresh := self._fresh_gaps(name):
            self._board.warn(
                part,
                f"{fresh} sweeps of the last {RATE_WINDOW} s lack its image: it is lost or comes too late; "
                "see sync.grace_s, sync.tolerance_s and the network",
                figures,
            )
        else:
            self._board.ok(part, values=figures)

    def _fresh_gaps(self, name: str) -> int:
        """Returns how many of the newest sweeps went out without a camera."""
        history = self._missing.setdefault(name, deque(maxlen=RATE_WINDOW))
        history.append(self._session.stream.synchroniser.counters[name].missing)
        return max(0, history[-1] - history[0])

    def _report_sync(self) -> None:
        sweeps = self._session.stream.synchroniser.sweeps
        fresh, self._incomplete = sweeps.incomplete - self._incomplete, sweeps.incomplete
        values: dict[str, object] = {
            "complete": sweeps.complete,
            "emitted": sweeps.emitted,
            "incomplete": sweeps.incomplete,
        }
        if fresh > 0:
            missing = ", ".join(sweeps.last_incomplete_missing)
            self._board.error(
                "sync", f"too few cameras, missing {missing}; check them or lower sync.min_cameras", values
            )
        else:
            self._board.ok("sync", values=values)

    def _report_latency(self) -> None:
        latencies = list(self._session.latencies_ms)
        memory = {"memory_mib": resident_mib(), "gpu_memory_mib": gpu_mib()}
        if len(latencies) >= 2:
            cuts = quantiles(latencies, n=100, method="inclusive")
            memory |= {"p50_ms": cuts[49], "p99_ms": cuts[98]}
        self._board.ok("model", "loaded", {**self._model, **memory})
        values: dict[str, object] = {"processed": self._session.processed, "dropped": self._session.dropped}
        if len(latencies) < 2:
            self._board.ok("latency", "no figures yet", values)
            return
        cuts = quantiles(latencies, n=100, method="inclusive")
        figures = {"p50_ms": cuts[49], "p99_ms": cuts[98], **values}
        limit = self._config.max_latency_ms
        if latencies[-1] <= limit:
            self._slow_since_ns = None
            self._board.ok("latency", values=figures)
            return
        self._slow_since_ns = self._slow_since_ns or time.monotonic_ns()
        slow_ms = (time.monotonic_ns() - self._slow_since_ns) / 1e6
        text = (
            f"{latencies[-1]:.0f} ms, above diagnostics.max_latency_ms = {limit:.0f}; lower depth.scale or "
            "model.max_rate_hz, or use a GPU"
        )
        if slow_ms > self._config.max_consecutive_delay_ms:
            self._board.error("latency", text, figures)
        else:
            self._board.warn("latency", text, figures)

    def _topic(self, name: str) -> str:
        cameras = self._session.stream.layout.cameras
        return next(camera.image_topic for camera in cameras if camera.name == name)


def _figures(counter: CameraCounters, rate_hz: float) -> dict[str, object]:
    return {"rate_hz": rate_hz, "received": counter.received, "used": counter.used, "late": counter.late}
