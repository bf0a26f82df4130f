"""`QueryPoint`: what is at a point."""

from distillnerf_core.perception.point import Question, look_at_point
from distillnerf_core.perception.query import TextQuery
from distillnerf_ros.services.requests import check_texts, place_in_base
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import QueryPoint


def answer_query_point(scene: Scene, request: QueryPoint.Request, response: QueryPoint.Response) -> None:
    """Tells label, density and what the point resembles; the classes and the kept queries where no texts are given."""
    scene = scene.at(request.point.header.stamp)
    check_texts(scene.config.query, texts=request.texts)
    place = place_in_base(scene, request.point.point, request.point.header.frame_id)
    questions = _questions(scene, tuple(request.texts)) if request.top else []
    answer = look_at_point(scene.occupancy, scene.result.field, place, scene.pipeline.language, questions, request.top)
    response.header = scene.header
    response.occupied, response.label = answer.occupied, answer.label
    response.class_name = scene.occupancy.classes.name(answer.label)
    response.score, response.density = answer.confidence, answer.density
    response.top_texts = [text for text, _ in answer.scores]
    response.top_scores = [score for _, score in answer.scores]


def _questions(scene: Scene, texts: tuple[str, ...]) -> list[Question]:
    if texts:
        return [Question(texts, scene.pipeline.encode_query(TextQuery(texts)))]
    questions = [Question(kept.query.texts, kept.encoded) for kept in scene.kept.snapshot().values()]
    classes = scene.result.classes
    if classes.solid_features is not None:
        encoded = scene.pipeline.language.contrast_classes(classes.solid_features)
        questions.append(Question(classes.labels.names, encoded))
    return questions
