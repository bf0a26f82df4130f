import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillnerf_core.data.neutral_layout import read_boxes, read_layout, read_points
from distillnerf_core.errors import DataError

_EYE = np.eye(4).tolist()
_CAMERA = {"width": 4, "height": 3, "K": np.eye(3).tolist(), "cam_to_ego": _EYE}


def _frame(**changes: Any) -> dict[str, Any]:
    return {"cameras": {"B": {"file": "frames/000/B.jpg"}, "A": {"file": "frames/000/A.jpg"}}} | changes


def _write(folder: Path, **changes: Any) -> None:
    content = {"cameras": {"A": _CAMERA, "B": {"K": _CAMERA["K"], "cam_to_ego": _EYE}}, "frames": [_frame()]}
    (folder / "calib.json").write_text(json.dumps(content | changes))


def test_what_is_unknown_is_none(tmp_path: Path) -> None:
    _write(tmp_path)
    layout = read_layout(tmp_path)
    assert (layout.cameras["A"].size, layout.cameras["B"].size, layout.lidar_to_ego) == ((3, 4), None, None)
    frame = layout.frames[0]
    assert list(frame.cameras) == ["A", "B"]
    image = frame.cameras["A"]
    assert (image.path, image.stamp_ns, image.ego_to_global) == (tmp_path / "frames/000/A.jpg", None, None)
    assert (frame.lidar, frame.lidar_ego_to_global, frame.boxes_lidar, frame.boxes_global) == (None, None, (), ())


def test_times_poses_and_boxes_are_read(tmp_path: Path) -> None:
    pose = np.diag([-1.0, -1.0, 1.0, 1.0])
    pose[:3, 3] = 1.0, 2.0, 3.0
    sensor = {"timestamp_us": 1561645824993653.0, "ego_to_global": pose.tolist()}
    box = {"label": "Truck", "box_to_lidar": pose.tolist(), "l_w_h": [5, 2.5, 3]}
    frame = _frame(lidar=sensor | {"file": None}, boxes_lidar=[box])
    _write(tmp_path, frames=[frame, frame | {"lidar": sensor | {"file": "l.npz"}}], lidar={"lidar_to_ego": _EYE})
    first, second = read_layout(tmp_path).frames
    assert first.lidar is None
    assert second.lidar is not None and second.lidar.stamp_ns == 1561645824993653000
    np.testing.assert_array_equal(first.lidar_ego_to_global, pose)
    assert (first.boxes_lidar[0].label, first.boxes_lidar[0].size_lwh_m) == ("Truck", (5.0, 2.5, 3.0))
    np.testing.assert_array_equal(first.boxes_lidar[0].pose, pose)


def test_upright_boxes_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    assert read_boxes(tmp_path) == ()
    numbers = [1, 2, 3, 4.5, 2, 1.5, np.pi / 2]
    (tmp_path / "boxes_lidar.json").write_text(json.dumps([{"label": "car", "center_l_w_h_yaw_lidar": numbers}]))
    box = read_boxes(tmp_path)[0]
    np.testing.assert_allclose(box.pose @ [1, 0, 0, 1], [1, 3, 3, 1])
    assert box.size_lwh_m == (4.5, 2.0, 1.5)
    (tmp_path / "boxes_lidar.json").write_text('[{"label": "car"}]')
    with pytest.raises(DataError, match=r"boxes_lidar\.json is not in the neutral layout"):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cameras": {}}, "no cameras or no frames"),
        ({"frames": []}, "no cameras or no frames"),
        ({"cameras": [1]}, "not in the neutral layout"),
        ({"cameras": {"A": _CAMERA | {"K": None, "model": "ocam"}}}, r"camera A has no 3x3 K \(model 'ocam'\)"),
        ({"cameras": {"A": _CAMERA | {"cam_to_ego": np.zeros((4, 4)).tolist()}}}, "rigid 4x4"),
        ({"frames": [_frame(), {"cameras": {"A": {}}}]}, "frame 1 is not in the neutral layout: KeyError.'file'"),
        ({"frames": [_frame(lidar={"file": "l.npz"})]}, "frame 0 has a LiDAR sweep, but there is no lidar_to_ego"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    _write(tmp_path, **changes)
    with pytest.raises(DataError, match=words):
        read_layout(tmp_path)


def test_sweeps_of_both_formats_are_read(tmp_path: Path) -> None:
    points = np.arange(10, dtype=np.float32).reshape(2, 5)
    points.tofile(tmp_path / "sweep.bin")
    np.savez(tmp_path / "sweep.npz", xyzi=points[:, :4])
    for name in ("sweep.bin", "sweep.npz"):
        np.testing.assert_array_equal(read_points(tmp_path / name), points[:, :4])
    np.savez(tmp_path / "flat.npz", xyzi=points[0])
    for name in ("flat.npz", "missing.bin"):
        with pytest.raises(DataError, match=name):
            read_points(tmp_path / name)
