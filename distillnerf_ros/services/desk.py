"""All services of the node: every request gets an answer, and none holds up the executor."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.task import Future

from distillnerf_core.errors import DataError, LanguageError, QueryError, TransformError
from distillnerf_core.perception.kept import KeptQueries
from distillnerf_ros import srv
from distillnerf_ros.health import HealthBoard, Level
from distillnerf_ros.services.clear_queries import answer_clear_queries
from distillnerf_ros.services.encode_text import answer_encode_text
from distillnerf_ros.services.get_voxels import answer_get_voxels
from distillnerf_ros.services.lane import Lane
from distillnerf_ros.services.query_point import answer_query_point
from distillnerf_ros.services.query_text import answer_query_text
from distillnerf_ros.services.refusal import Refused, Status
from distillnerf_ros.services.render_view import answer_render_view
from distillnerf_ros.services.save_frame import answer_save_frame
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.services.set_classes import answer_set_classes

logger = logging.getLogger(__name__)

QUICK_WAITING, SLOW_WAITING = 8, 2
"""Most requests that wait for the one in work; more are refused as BUSY."""
KINDS = {
    QueryError: Status.BAD_REQUEST,
    LanguageError: Status.NO_LANGUAGE,
    TransformError: Status.TF_ERROR,
    DataError: Status.IO_ERROR,
    InvalidHandle: Status.NOT_READY,  # the node is deactivated meanwhile
}


@dataclass(frozen=True)
class Service:
    """A service.

    Attributes:
        kind: Its class.
        name: Its name.
        answer: Fills a response.
        part: Part of the node that problems are reported of.
        needs_frame: Whether the answer is from a frame, which may be too old.
        slow: Whether it may take longer than 0.1 s, so that others do not wait for it.
    """

    kind: Any
    name: str
    answer: Callable[[Scene, Any, Any], None]
    part: str = "services"
    needs_frame: bool = True
    slow: bool = False


SERVICES = (
    Service(srv.QueryText, "query_text", answer_query_text, part="query"),
    Service(srv.QueryPoint, "query_point", answer_query_point),
    Service(srv.GetVoxels, "get_voxels", answer_get_voxels),
    Service(srv.SetClasses, "set_classes", answer_set_classes, needs_frame=False),
    Service(srv.RenderView, "render_view", answer_render_view, slow=True),
    Service(srv.EncodeText, "encode_text", answer_encode_text, needs_frame=False),
    Service(srv.ClearQueries, "clear_queries", answer_clear_queries, needs_frame=False),
    Service(srv.SaveFrame, "save_frame", answer_save_frame, part="files", slow=True),
)


class ServiceDesk:
    """Takes requests in the executor's thread and answers them in two others.

    A request's callback is a coroutine that waits for its answer; meanwhile the executor takes images, even a
    single-threaded one. Texts are embedded in one of the two threads only.

    Args:
        node: Node that owns the services.
        scene: Returns what to answer from, None while the node is not active. Called in any thread.
        board: Where failures are reported.

    Attributes:
        kept: Queries that are asked again of every frame.
    """

    def __init__(self, node: Node, scene: Callable[[], Scene | None], board: HealthBoard) -> None:
        self.kept = KeptQueries()
        self._node = node
        self._scene = scene
        self._board = board
        self._quick = Lane("distillnerf answers", QUICK_WAITING)
        self._slow = Lane("distillnerf slow answers", SLOW_WAITING)
        group = ReentrantCallbackGroup()
        for service in SERVICES:
            node.create_service(service.kind, service.name, partial(self._take, service), callback_group=group)

    def stop(self) -> None:
        """Ends the threads; requests that wait get their answers first."""
        for lane in (self._quick, self._slow):
            lane.stop()

    async def _take(self, service: Service, request: Any, response: Any) -> Any:
        future, start = Future(), time.perf_counter()
        lane = self._slow if service.slow else self._quick

        def work() -> None:
            """Answers in the lane's thread, and lets the executor go on with the callback."""
            future.set_result(self._respond(service, request, response, start))
            if self._node.executor is not None:
                self._node.executor.wake()

        if lane.submit(work):
            return await future
        response.status = Status.BUSY
        response.message = f"{lane.capacity} requests wait already: ask less often, or wait for each answer"
        self._board.warn(service.part, f"{service.name}: {response.message}")
        return response

    def _respond(self, service: Service, request: Any, response: Any, start: float) -> Any:
        try:
            self._answer(service, request, response)
        except Refused as refusal:
            response.status, response.message = refusal.status, str(refusal)
        except tuple(KINDS) as err:
            response.status = next(status for kind, status in KINDS.items() if isinstance(err, kind))
            response.message = str(err)
        except Exception as err:
            logger.exception("%s failed", service.name)
            response.status = Status.INTERNAL_ERROR
            response.message = f"unexpected {type(err).__name__}: {err}; the node's log has the trace"
        response.success = response.status == Status.OK
        latency_ms = 1e3 * (time.perf_counter() - start)
        if hasattr(response, "latency_ms"):
            response.latency_ms = latency_ms
        self._report(service, response, latency_ms)
        return response

    def _answer(self, service: Service, request: Any, response: Any) -> None:
        scene = self._scene()
        if scene is None:
            raise Refused(
                Status.NOT_READY,
                "the node is not active: configure and activate it (`ros2 lifecycle set /distillnerf configure`)",
            )
        service.answer(scene, request, response)
        if service.needs_frame:
            scene.check_age()

    def _report(self, service: Service, response: Any, latency_ms: float) -> None:
        if response.success:
            self._board.ok(service.part, values={"latency_ms": latency_ms})
        elif response.status in (Status.INTERNAL_ERROR, Status.IO_ERROR) or self._is_news(service, response):
            self._board.error(service.part, response.message)

    def _is_news(self, service: Service, response: Any) -> bool:
        """Tells whether language got lost; that a checkpoint has none is no error and was said at its start."""
        lost = service.part == "query" and response.status == Status.NO_LANGUAGE
        return lost and self._board.level("query") is Level.OK
