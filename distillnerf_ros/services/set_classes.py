"""`SetClasses`: changes what voxels and pixels are labelled with, from the next frame on."""

from distillnerf_core.errors import QueryError
from distillnerf_core.language.label_set import MAX_CLASSES
from distillnerf_core.perception.classes import (
    MAX_WORDS,
    checkpoint_classes,
    color_from_floats,
    named_classes,
)
from distillnerf_ros.services.requests import check_lengths
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import SetClasses


def answer_set_classes(scene: Scene, request: SetClasses.Request, response: SetClasses.Response) -> None:
    """Labels with a user's classes, or with the checkpoint's again where no names are given."""
    pipeline, limits = scene.pipeline, scene.config.query
    response.class_names = list(pipeline.classes.labels.names)
    if request.names:
        check_lengths(limits, names=request.names[: MAX_CLASSES + 1])
        words = [word for prompt in request.prompts[:MAX_CLASSES] for word in prompt.split("|", MAX_WORDS + 1)]
        check_lengths(limits, prompts=words)
        colors = [
            color_from_floats(color.r, color.g, color.b, f"colors[{index}]")
            for index, color in enumerate(request.colors[: MAX_CLASSES + 1])
        ]
        pipeline.classes = named_classes(pipeline.language, request.names, request.prompts, colors)
    elif request.prompts or request.colors:
        raise QueryError("prompts and colors belong to names: give names, or leave all empty for the checkpoint's")
    else:
        pipeline.classes = checkpoint_classes(pipeline.language)
    response.class_names = list(pipeline.classes.labels.names)
