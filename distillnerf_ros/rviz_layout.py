"""Fits RViz's file to another namespace or other cameras: its topics are absolute names. Imports no ROS."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

NUSCENES_CAMERAS = (
    "CAM_FRONT_LEFT",
    "CAM_FRONT",
    "CAM_FRONT_RIGHT",
    "CAM_BACK_LEFT",
    "CAM_BACK",
    "CAM_BACK_RIGHT",
)
"""Cameras of the shipped file, in its order."""


def fitted_text(text: str, node: str, cameras: Sequence[str] = ()) -> str:
    """Returns the text of a file with the topics of a node.

    Args:
        text: The shipped file.
        node: Full name of the node, such as "/robot1/distillnerf".
        cameras: Names of the cameras; where none of the shipped file's is among them, they take their places one by
            one. Empty: as in the file.
    """
    text = text.replace("/distillnerf/", f"{node}/")
    if not cameras or set(cameras) & set(NUSCENES_CAMERAS):
        return text
    # The longest names first: CAM_FRONT begins CAM_FRONT_LEFT.
    places = sorted(zip(NUSCENES_CAMERAS, cameras, strict=False), key=lambda pair: -len(pair[0]))
    for number, (old, _) in enumerate(places):
        text = text.replace(old, f"\0{number}\0")
    for number, (_, new) in enumerate(places):
        text = text.replace(f"\0{number}\0", new)
    return text


def fitted_file(path: Path, node: str, cameras: Sequence[str] = ()) -> Path:
    """Returns the shipped file where it fits, else a temporary one that does; arguments as for `fitted_text`."""
    text = path.read_text(encoding="utf-8")
    fitted = fitted_text(text, node, cameras)
    if fitted == text:
        return path
    with tempfile.NamedTemporaryFile("w", prefix="distillnerf_", suffix=path.suffix, delete=False) as file:
        file.write(fitted)
    return Path(file.name)
