"""What nodes of this kind usually do, put in the place of ours: decoding in callbacks, message fields of bytes."""

from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_ros.conversions import clouds, images, voxels
from distillnerf_ros.session import PerceptionSession


def usual_ways() -> ExitStack:
    """Returns a context in which every image is decoded as it comes, and messages are filled with bytes."""
    stack = ExitStack()
    for module in (clouds, images, voxels):
        stack.enter_context(patch.object(module, "byte_array", _as_bytes))
    stack.enter_context(patch.object(PerceptionSession, "take_image", _decoding(PerceptionSession.take_image)))
    return stack


def _as_bytes(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values).tobytes()


def _decoding(take_image: Callable[[Any, str, Any], None]) -> Callable[[Any, str, Any], None]:
    def take(session: Any, camera: str, message: Any) -> None:
        pixels = np.asarray(cv2.imdecode(np.frombuffer(message.data, dtype=np.uint8), cv2.IMREAD_COLOR))
        height, width = pixels.shape[:2]
        raw = SimpleNamespace(
            header=message.header,
            height=height,
            width=width,
            encoding="bgr8",
            is_bigendian=0,
            step=3 * width,
            data=pixels.reshape(-1),
        )
        take_image(session, camera, raw)

    return take
