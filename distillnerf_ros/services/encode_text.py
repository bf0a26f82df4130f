"""`EncodeText`: texts as vectors in the space of the checkpoint's language features."""

from array import array

from distillnerf_core.errors import QueryError
from distillnerf_ros.services.requests import check_texts
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import EncodeText


def answer_encode_text(scene: Scene, request: EncodeText.Request, response: EncodeText.Response) -> None:
    """Embeds texts; needs no frame."""
    check_texts(scene.config.query, texts=request.texts)
    for index, text in enumerate(request.texts or [""]):
        if not text.strip():
            raise QueryError(f"texts[{index}] is empty: give at least one text, for example ['car']")
    vectors = scene.pipeline.language.encode_texts(list(request.texts))
    response.space = scene.pipeline.language.name
    response.dimensions = vectors.shape[1]
    response.vectors = array("f", vectors.float().flatten().tolist())
