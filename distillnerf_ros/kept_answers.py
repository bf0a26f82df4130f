"""Queries that are kept are answered again on every new frame."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DistillNerfError
from distillnerf_core.language.text_space import EncodedQuery
from distillnerf_core.perception.kept import KeptQueries, KeptQuery
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import Output, PerceptionResult
from distillnerf_core.streams.frame_assembler import AssembledFrame
from distillnerf_ros.conversions.answers import Answer
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.health import HealthBoard
from distillnerf_ros.query_publishers import QueryPublishers


class KeptAnswers:
    """Answers kept queries in the inference thread; costs nothing while nobody listens or none is kept.

    Args:
        kept: The queries.
        pipeline: Perception.
        outputs: Where the answers go.
        base_from: Returns `base_from_frame` [4 4] of a frame at a time in nanoseconds.
        base_frame: Frame of the answers.
        board: Where it is said that a query cannot be answered.
    """

    def __init__(
        self,
        kept: KeptQueries,
        pipeline: PerceptionPipeline,
        outputs: QueryPublishers,
        base_from: Callable[[str, int], NDArray[np.float64]],
        base_frame: str,
        board: HealthBoard,
    ) -> None:
        self._kept = kept
        self._pipeline = pipeline
        self._outputs = outputs
        self._base_from = base_from
        self._base_frame = base_frame
        self._board = board

    def wanted(self) -> frozenset[Output]:
        """Returns the outputs that heat is made of, where somebody listens to it; a query would wait for them."""
        return frozenset({Output.SEMANTICS} if self._outputs.heat_heard else ())

    def publish(self, result: PerceptionResult, assembled: AssembledFrame) -> None:
        """Answers all kept queries from a frame."""
        kept = self._kept.snapshot()
        if not kept:
            return
        if self._outputs.points_heard:
            answers = [self._answer(number, query, result) for number, query in kept.items()]
            stamped = header(result.stamp_ns, self._base_frame)
            self._outputs.publish_points([answer for answer in answers if answer is not None], stamped)
        if self._outputs.heat_heard:
            self._publish_heat([query.encoded for query in kept.values()], result, assembled)

    def _publish_heat(
        self, queries: Sequence[EncodedQuery], result: PerceptionResult, assembled: AssembledFrame
    ) -> None:
        try:
            self._outputs.publish_heat(self._pipeline.heat_images(result, queries), assembled)
        except DistillNerfError as err:
            self._board.warn("query", f"kept queries show no heat: {err}")

    def _answer(self, number: int, kept: KeptQuery, result: PerceptionResult) -> Answer | None:
        try:
            query = kept.query
            if kept.frame_id not in ("", self._base_frame):
                query = replace(query, ego_from_box=self._base_from(kept.frame_id, result.stamp_ns))
            return Answer(number, self._pipeline.answer(result, query, kept.encoded), kept.max_points)
        except DistillNerfError as err:
            self._board.warn("query", f"kept query {number} is not answered: {err}")
            return None
