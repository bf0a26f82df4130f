"""`ClearQueries`: ends queries that were kept."""

from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import ClearQueries


def answer_clear_queries(scene: Scene, request: ClearQueries.Request, response: ClearQueries.Response) -> None:
    """Ends kept queries, all where no numbers are given; displays are emptied with the last one."""
    response.cleared = scene.kept.clear(frozenset(request.query_ids))
    response.kept = list(scene.kept.snapshot())
    outputs = scene.session.queries
    if response.cleared and not response.kept and scene.newest is not None and outputs.points_heard:
        outputs.publish_points([], scene.header)
