"""What several requests have in common: texts, boxes and limits."""

import math
from collections.abc import Sequence

from geometry_msgs.msg import Point

from distillnerf_core.errors import QueryError
from distillnerf_core.perception.boxes import Corner
from distillnerf_core.perception.config import QueryConfig
from distillnerf_ros.services.scene import Scene


def check_texts(config: QueryConfig, **texts: Sequence[str]) -> None:
    """Bounds texts before anything is done with them.

    Args:
        config: The limits.
        texts: Lists of texts by the name of their field.

    Raises:
        QueryError: Naming the field, the limit and its parameter.
    """
    count = sum(map(len, texts.values()))
    if count > config.max_texts:
        raise QueryError(f"{' and '.join(texts)}: {count} texts, but query.max_texts is {config.max_texts}")
    check_lengths(config, **texts)


def check_lengths(config: QueryConfig, **texts: Sequence[str]) -> None:
    """Bounds the length of texts; arguments and error as for `check_texts`."""
    for name, values in texts.items():
        for index, text in enumerate(values):
            if len(text) > config.max_text_length:
                raise QueryError(
                    f"{name}[{index}] has {len(text)} characters, but query.max_text_length is {config.max_text_length}"
                )


def corner(point: Point) -> Corner:
    """Returns a point's coordinates."""
    return point.x, point.y, point.z


def place_in_base(scene: Scene, point: Point, frame_id: str) -> Corner:
    """Returns a point of any frame in the base frame at the time of the newest frame.

    Raises:
        TransformError: Naming the frames.
    """
    base_from_frame = scene.base_from(frame_id)
    if base_from_frame is None or not all(map(math.isfinite, corner(point))):
        return corner(point)  # refused by whoever looks there
    x, y, z = (base_from_frame @ (*corner(point), 1.0))[:3].tolist()
    return x, y, z
