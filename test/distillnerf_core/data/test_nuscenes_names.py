"""Labels become categories and attributes of nuScenes."""

import numpy as np
import pytest

from distillnerf_core.data.drive import BoxTrack
from distillnerf_core.data.nuscenes_names import ATTRIBUTES, CATEGORIES, attribute_of, category_of, visibility_of
from distillnerf_core.language.classes import CLASS_NAMES, OBJECT_CLASSES

SECOND = 1_000_000_000


def track(way_m: float, seconds: int = 4) -> BoxTrack:
    """Drives in its first second, then stands."""
    stamps = np.arange(seconds + 1, dtype=np.int64) * SECOND
    poses = np.tile(np.eye(4), (len(stamps), 1, 1))
    poses[1:, 0, 3] = way_m
    return BoxTrack("a", "car", (4.0, 2.0, 1.5), stamps, poses)


def test_all_classes_with_boxes_have_a_category() -> None:
    found = {category_of(CLASS_NAMES[index]) for index in OBJECT_CLASSES}
    assert len(found) == 10
    assert found < set(CATEGORIES)
    assert [category_of(name) for name in CATEGORIES] == list(CATEGORIES)
    assert category_of("dragon") == "dragon"


@pytest.mark.parametrize(
    ("category", "way_m", "seconds", "attribute"),
    [
        ("vehicle.car", 3.0, 0.5, "vehicle.moving"),
        ("vehicle.car", 3.0, 0.0, "vehicle.moving"),
        ("vehicle.car", 3.0, 3.0, "vehicle.stopped"),
        ("vehicle.truck", 0.0, 0.5, "vehicle.parked"),
        ("vehicle.bicycle", 3.0, 3.0, "cycle.with_rider"),
        ("vehicle.motorcycle", 0.0, 0.5, "cycle.without_rider"),
        ("human.pedestrian.child", 1.0, 0.5, "pedestrian.moving"),
        ("human.pedestrian.adult", 0.0, 0.5, "pedestrian.standing"),
        ("human.pedestrian.stroller", 1.0, 0.5, None),
        ("movable_object.barrier", 0.0, 0.5, None),
    ],
)
def test_attributes_follow_from_motion(category: str, way_m: float, seconds: float, attribute: str | None) -> None:
    assert attribute_of(category, track(way_m), round(seconds * SECOND)) == attribute
    assert attribute is None or attribute in ATTRIBUTES


def test_a_single_pose_stands() -> None:
    assert attribute_of("vehicle.car", track(0.0, seconds=0), 0) == "vehicle.parked"


@pytest.mark.parametrize(("fraction", "level"), [(0, "1"), (0.39, "1"), (0.4, "2"), (0.6, "3"), (0.79, "3"), (1, "4")])
def test_levels_of_visibility(fraction: float, level: str) -> None:
    assert visibility_of(float(fraction)) == level


def test_the_words_are_those_of_the_devkit() -> None:
    colors = pytest.importorskip("nuscenes.utils.color_map", reason="nuscenes-devkit is not installed").get_colormap()
    assert set(CATEGORIES) < set(colors)
    detection = pytest.importorskip("nuscenes.eval.detection.utils", reason="nuscenes-devkit is not complete")
    names = {category: detection.category_to_detection_name(category) for category in CATEGORIES}
    for index in OBJECT_CLASSES:
        assert names[category_of(CLASS_NAMES[index])] == CLASS_NAMES[index]
