import re
from pathlib import Path

from distillnerf_ros.rviz_layout import NUSCENES_CAMERAS, fitted_file, fitted_text

SHIPPED = Path(__file__).resolve().parents[2] / "rviz" / "distillnerf.rviz"


def topics(text: str) -> list[str]:
    return re.findall(r"Value: (/\S+)", text)


def test_the_shipped_file_fits_the_shipped_node() -> None:
    assert fitted_file(SHIPPED, "/distillnerf") == SHIPPED
    assert fitted_file(SHIPPED, "/distillnerf", NUSCENES_CAMERAS[::-1]) == SHIPPED


def test_topics_follow_the_namespace() -> None:
    path = fitted_file(SHIPPED, "/robot1/distillnerf")
    try:
        found = topics(path.read_text())
    finally:
        path.unlink()
    assert found == [topic.replace("/distillnerf/", "/robot1/distillnerf/") for topic in topics(SHIPPED.read_text())]


def test_other_cameras_take_the_places_of_those_of_nuscenes() -> None:
    cameras = [f"camera{number}" for number in range(6)]
    text = fitted_text(SHIPPED.read_text(), "/distillnerf", cameras)
    images = [topic for topic in topics(text) if topic.endswith("/depth/image")]
    assert images == [f"/distillnerf/{camera}/depth/image" for camera in cameras]
    assert "CAM_" not in text
