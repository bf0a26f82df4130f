"""`QueryText`: finds what texts describe, once or on every frame from now on."""

from distillnerf_core.perception.kept import KeptQuery
from distillnerf_core.perception.query import QueryResult, TextQuery
from distillnerf_ros.conversions.answers import Answer, answer_cloud, region_messages
from distillnerf_ros.services.refusal import Refused, Status
from distillnerf_ros.services.requests import check_texts, corner
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import QueryText


def answer_query_text(scene: Scene, request: QueryText.Request, response: QueryText.Response) -> None:
    """Answers texts from the newest frame; publishes and keeps them as asked."""
    check_texts(scene.config.query, texts=request.texts, negatives=request.negatives)
    query = TextQuery(
        texts=tuple(request.texts),
        negatives=tuple(request.negatives),
        threshold=None if request.threshold < 0 else request.threshold,
        box_min=corner(request.box_min),
        box_max=corner(request.box_max),
        ego_from_box=scene.base_from(request.frame_id),
    )
    asked = KeptQuery(query, scene.pipeline.encode_query(query), request.frame_id, request.max_points)
    result = scene.pipeline.answer(scene.result, query, asked.encoded)
    response.query_id = scene.kept.next_number()
    _fill(scene, result, response)
    answer = Answer(response.query_id, result, request.max_points)
    if request.return_cloud:
        response.cloud = answer_cloud([answer], response.header)
    if request.publish:
        _publish(scene, asked, answer)
    if request.keep:
        # A question that was not answered is not kept; one about an old frame neither.
        scene.check_age()
        _keep(scene, response.query_id, asked)


def _keep(scene: Scene, number: int, asked: KeptQuery) -> None:
    most = scene.config.query.max_keep
    if not scene.kept.keep(number, asked, most):
        raise Refused(
            Status.BUSY, f"{most} queries are kept already, as query.max_keep allows: end some with clear_queries"
        )


def _fill(scene: Scene, result: QueryResult, response: QueryText.Response) -> None:
    response.header = scene.header
    response.max_score = result.max_score.tolist()
    response.count = result.count.tolist()
    response.regions = region_messages(result)
    response.cameras_used = scene.perceived.cameras_used


def _publish(scene: Scene, asked: KeptQuery, answer: Answer) -> None:
    outputs = scene.session.queries
    if outputs.points_heard:
        outputs.publish_points([answer], scene.header)
    if outputs.heat_heard:
        outputs.publish_heat(scene.pipeline.heat_images(scene.result, [asked.encoded]), scene.perceived.assembled)
