import numpy as np
import pytest

from distillnerf_core.data.drive import BoxTrack, DriveImage
from distillnerf_core.data.recordings import LabelledBox
from distillnerf_core.teachers.features.box_labels import draw_boxes, track_labels

CAR, PEDESTRIAN, UNKNOWN = 4, 7, 255
INTRINSICS = np.array([[100.0, 0.0, 80.0], [0.0, 100.0, 45.0], [0.0, 0.0, 1.0]])
# Looks along x of the frame; x of the image is -y, y of the image -z.
FORWARD = np.array([[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def draw(*boxes: LabelledBox) -> np.ndarray:
    return draw_boxes(boxes, FORWARD, INTRINSICS, 90, 160)


def box(label: str, x: float, y: float = 0.0, size: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> LabelledBox:
    return LabelledBox(label, (x, y, 0.0), size, 0.0)


def test_a_box_covers_its_near_face() -> None:
    labels = draw(box("car", 11.0, 3.0))
    # The near face is 10 m away, from 2 to 4 m to the left and 1 m up and down: 10 pixels a metre.
    expected = np.full((90, 160), UNKNOWN)
    expected[35:55, 40:60] = CAR
    wrong = labels != expected
    # The far face is nearer to the middle of the image: its inner edge lies outside the near face.
    assert wrong[:, :39].sum() == wrong[:, 66:].sum() == wrong[:34].sum() == wrong[56:].sum() == 0
    assert (labels[36:54, 41:59] == CAR).all()
    assert labels[45, 63] == CAR and labels[45, 65] == UNKNOWN  # the far inner edge at 80 - 100 * 2 / 12


def test_near_boxes_hide_far_ones() -> None:
    far, near = (
        box("vehicle.car", 20.0, size=(4.0, 4.0, 4.0)),
        box("human.pedestrian.adult", 10.0, size=(1.0, 1.0, 1.0)),
    )
    for boxes in ([far, near], [near, far]):
        labels = draw(*boxes)
        assert labels[45, 80] == PEDESTRIAN
        assert labels[45, 72] == CAR
    assert draw(far, box("strange thing", 10.0))[45, 80] == UNKNOWN


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    assert (draw(box("car", -10.0)) == UNKNOWN).all()


def test_a_box_around_the_near_plane_is_cut_there() -> None:
    """A wall 2 m to the left, from behind the camera to 10 m ahead, fills the image left of its end."""
    labels = draw(box("car", 0.0, 3.0, size=(20.0, 2.0, 2.0)))
    assert (labels[45, :58] == CAR).all()
    assert (labels[:, 62:] == UNKNOWN).all() or labels[45, 75] == UNKNOWN


@pytest.mark.parametrize(("seconds", "column"), [(0.0, 80), (1.0, 60), (2.0, None)])
def test_tracks_are_drawn_where_they_are_at_the_time_of_the_image(seconds: float, column: int | None) -> None:
    poses = np.stack([np.eye(4), np.eye(4)])
    poses[:, 0, 3] = 10.5
    poses[1, 1, 3] = 2.0
    track = BoxTrack("t", "car", (1.0, 1.0, 1.0), np.array([0, 1_000_000_000]), poses)
    image = DriveImage("CAM", 0, round(seconds * 1e9), INTRINSICS, FORWARD, 90, 160)
    labels = track_labels(image, [track])
    if column is None:
        assert (labels == UNKNOWN).all()
    else:
        assert labels[45, column] == CAR
        assert labels[45, column - 8] == labels[45, column + 8] == UNKNOWN
