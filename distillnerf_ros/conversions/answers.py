"""Answers to text queries as messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from distillnerf_core.perception.query import QueryResult
from distillnerf_ros.conversions.clouds import QUERY_POINT, heat_colors, place_points, point_cloud
from distillnerf_ros.msg import QueryRegion


@dataclass(frozen=True)
class Answer:
    """An answer with the number of its query.

    Attributes:
        number: Number of the query.
        result: The answer.
        max_points: Most points; 0 for no limit.
    """

    number: int
    result: QueryResult
    max_points: int = 0


def answer_cloud(answers: Sequence[Answer], header: Header) -> PointCloud2:
    """Returns the voxels at or above the threshold of any text as points x y z rgb score query_id text_index.

    The points of each answer come with the highest scores first; rgb is the score's heat.

    Args:
        answers: Answers of one frame.
        header: Base frame and reference stamp.
    """
    parts = [_matching_points(answer) for answer in answers]
    return point_cloud(np.concatenate([np.zeros(0, dtype=QUERY_POINT), *parts]), header)


def _matching_points(answer: Answer) -> NDArray[Any]:
    scores = answer.result.scores.cpu().numpy()
    best = scores.max(axis=0, initial=0.0)
    chosen = np.argsort(-best, kind="stable")[: int((best >= answer.result.threshold).sum())]
    chosen = chosen[: answer.max_points] if answer.max_points else chosen
    points = np.zeros(len(chosen), dtype=QUERY_POINT)
    place_points(points, answer.result.centers_m.cpu().numpy()[chosen], heat_colors(best[chosen]))
    points["score"], points["query_id"] = best[chosen], answer.number
    points["text_index"] = scores[:, chosen].argmax(axis=0)
    return points


def region_messages(result: QueryResult) -> list[QueryRegion]:
    """Returns the connected regions, best first for each text."""
    return [
        QueryRegion(
            text=region.text,
            center=Point(x=region.center_m[0], y=region.center_m[1], z=region.center_m[2]),
            size=Vector3(x=region.size_m[0], y=region.size_m[1], z=region.size_m[2]),
            score=region.score,
            voxel_count=region.voxel_count,
        )
        for region in result.regions
    ]
