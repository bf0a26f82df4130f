"""The service /query_text: answers from the newest perceived frame, in every state of the node."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

from distillnerf_core.errors import LanguageError, QueryError
from distillnerf_ros.conversions.answers import answer_cloud, region_messages
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.health import HealthBoard, Level
from distillnerf_ros.qos import create_output
from distillnerf_ros.srv import QueryText

if TYPE_CHECKING:
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.perception.query import TextQuery
    from distillnerf_ros.session import PerceivedFrame

logger = logging.getLogger(__name__)

Status = QueryText.Response


@dataclass(frozen=True)
class Answerer:
    """What an active node answers from.

    Attributes:
        pipeline: Perception with its text encoder.
        newest: Returns the newest perceived frame, None before the first.
        base_frame: Frame of the answers.
        max_age_s: Older frames are stale.
    """

    pipeline: "PerceptionPipeline"
    newest: "Callable[[], PerceivedFrame | None]"
    base_frame: str
    max_age_s: float


class _Refused(Exception):  # noqa: N818 - a refusal is an answer
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class QueryTextService:
    """Serves `query_text` and publishes what was found on ~/query/points.

    Args:
        node: Node that owns service and publisher.
        answerer: Returns what to answer from, None while the node is not active.
        board: Where failures are reported.
    """

    def __init__(self, node: Node, answerer: Callable[[], Answerer | None], board: HealthBoard) -> None:
        self._answerer = answerer
        self._board = board
        self._points = create_output(node, PointCloud2, "~/query/points")
        self._service = node.create_service(QueryText, "query_text", self.handle)

    def handle(self, request: QueryText.Request, response: QueryText.Response) -> QueryText.Response:
        """Answers a request; whatever happens is in the response."""
        start = time.perf_counter()
        try:
            self._answer(request, response)
        except _Refused as refusal:
            response.status, response.message = refusal.status, str(refusal)
        except QueryError as err:
            response.status, response.message = Status.BAD_REQUEST, str(err)
        except LanguageError as err:
            response.status, response.message = Status.NO_LANGUAGE, str(err)
        except Exception as err:
            logger.exception("query %s failed", list(request.texts))
            response.status = Status.INTERNAL_ERROR
            response.message = f"unexpected {type(err).__name__}: {err}; the node's log has the trace"
        response.success = response.status == Status.OK
        response.latency_ms = 1e3 * (time.perf_counter() - start)
        self._report(response)
        return response

    def _answer(self, request: QueryText.Request, response: QueryText.Response) -> None:
        answerer = self._answerer()
        perceived = answerer.newest() if answerer is not None else None
        if answerer is None or perceived is None:
            raise _Refused(Status.NOT_READY, _not_ready(answerer))
        query = question_or_refusal(request, answerer.base_frame)
        result = answerer.pipeline.query(perceived.result, query)
        response.header = header(perceived.result.stamp_ns, answerer.base_frame)
        response.max_score = result.max_score.tolist()
        response.count = result.count.tolist()
        response.regions = region_messages(result)
        response.cameras_used = perceived.cameras_used
        if request.return_cloud or (request.publish and self._points.get_subscription_count()):
            cloud = answer_cloud(result, request.max_points, response.header)
            if request.publish:
                self._points.publish(cloud)
            if request.return_cloud:
                response.cloud = cloud
        _check_age(perceived, answerer.max_age_s)

    def _report(self, response: QueryText.Response) -> None:
        if response.success:
            self._board.ok("query", values={"latency_ms": float(response.latency_ms)})
        elif response.status == Status.INTERNAL_ERROR or self._is_news(response):
            self._board.error("query", response.message)

    def _is_news(self, response: QueryText.Response) -> bool:
        """Tells whether language got lost; that a checkpoint has none is no error and was said at its start."""
        return response.status == Status.NO_LANGUAGE and self._board.level("query") is Level.OK


def question_or_refusal(request: QueryText.Request, base_frame: str) -> "TextQuery":
    """Returns the question that a request asks.

    Args:
        request: The request.
        base_frame: Frame that boxes may be in.

    Raises:
        QueryError: If texts, threshold or box make no sense.
    """
    from distillnerf_core.perception.query import TextQuery

    if request.frame_id not in ("", base_frame):
        raise _Refused(
            Status.TF_ERROR,
            f"the box is in frame {request.frame_id!r}; give it in {base_frame!r}, or leave frame_id empty",
        )
    lower, upper = request.box_min, request.box_max
    return TextQuery(
        texts=tuple(request.texts),
        negatives=tuple(request.negatives),
        threshold=None if request.threshold < 0 else request.threshold,
        box_min=(lower.x, lower.y, lower.z),
        box_max=(upper.x, upper.y, upper.z),
    )


def _not_ready(answerer: Answerer | None) -> str:
    if answerer is None:
        return "the node is not active: configure and activate it (`ros2 lifecycle set /distillnerf configure`)"
    return "no frame perceived yet: wait for camera images, or look at /diagnostics for what is missing"


def _check_age(perceived: "PerceivedFrame", max_age_s: float) -> None:
    age_s = (time.monotonic_ns() - perceived.completed_ns) / 1e9
    if age_s > max_age_s:
        raise _Refused(
            Status.STALE,
            f"the newest frame is {age_s:.1f} s old, above cache.max_age_s = {max_age_s:g}: check the cameras; "
            "the answer is from that frame",
        )
