"""Answers to text queries as messages."""

from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from distillnerf_ros.conversions.clouds import query_cloud
from distillnerf_ros.msg import QueryRegion

if TYPE_CHECKING:
    from distillnerf_core.perception.query import QueryResult


def answer_cloud(result: "QueryResult", max_points: int, header: Header) -> PointCloud2:
    """Returns the voxels at or above the threshold of any text, highest scores first.

    Args:
        result: The answer.
        max_points: Most points; 0 for no limit.
        header: Base frame and reference stamp.
    """
    centers, scores, query_ids = matching_voxels(result, max_points)
    return query_cloud(centers, scores, query_ids, header)


def matching_voxels(
    result: "QueryResult", max_points: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
    """Returns centre [n 3], score and index of the text of the voxels that answer, highest scores first."""
    scores = result.scores.cpu().numpy()
    best = scores.max(axis=0, initial=0.0)
    chosen = np.argsort(-best, kind="stable")[: int((best >= result.threshold).sum())]
    chosen = chosen[:max_points] if max_points else chosen
    ids = scores[:, chosen].argmax(axis=0).astype(np.uint32)
    return result.centers_m.cpu().numpy()[chosen], best[chosen], ids


def region_messages(result: "QueryResult") -> list[QueryRegion]:
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
