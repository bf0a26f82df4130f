import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from distillnerf_core.data.bag_export import export_frames
from distillnerf_core.errors import DataError
from distillnerf_core.streams.bag_frames import frames_from_bag
from distillnerf_core.streams.bag_reader import BagReader


def test_a_real_frame_becomes_a_bag_with_the_true_calibration(shared_dir: Path, tmp_path: Path) -> None:
    folder, bag = shared_dir / "data" / "nuscenes_sample", tmp_path / "out.mcap"
    done = export_frames(folder, bag, repeat=3)
    assert (done.sweeps, done.images, done.clouds) == (3, 18, 3)
    calibration = json.loads((folder / "calib.json").read_text())
    readings = calibration["frames"][0]["cameras"]
    frames = list(frames_from_bag(bag, 225, 400))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert frame.motion_compensated
        assert frame.camera_mask.all()
        for index, name in enumerate(frame.rig.names):
            camera, reading = calibration["cameras"][name], readings[name]
            assert frame.camera_stamps_ns[index] == reading["timestamp_us"] * 1000 + number * 250_000_000
            expected = np.linalg.inv(readings["CAM_FRONT"]["ego_to_global"]) @ reading["ego_to_global"]
            np.testing.assert_allclose(frame.rig.camera_to_ego[index], expected @ camera["cam_to_ego"], atol=1e-4)
            scale = np.array([[0.25], [0.25], [1.0]])
            np.testing.assert_allclose(frame.rig.intrinsics[index], np.array(camera["K"]) * scale, rtol=1e-5)
    picture = cv2.cvtColor(cv2.imread(str(folder / readings["CAM_FRONT"]["file"])), cv2.COLOR_BGR2RGB)
    small = cv2.resize(picture, (400, 225), interpolation=cv2.INTER_AREA)
    front = (frames[0].images[0].permute(1, 2, 0) * 255).numpy()
    assert np.abs(front - small).mean() < 3.0
    with BagReader(bag) as reader:
        cloud = next(iter(reader.messages(["/LIDAR_TOP"]))).message
    stored = np.fromfile(folder / "lidar" / "000.pcd.bin", "<f4").reshape(-1, 5)
    points = np.frombuffer(bytes(cloud.data), "<f4").reshape(-1, 4)
    np.testing.assert_array_equal(points, stored[:, :4])


def test_a_drive_of_another_rig_keeps_its_own_times(shared_dir: Path, tmp_path: Path) -> None:
    bag = tmp_path / "drive"
    assert export_frames(shared_dir / "data" / "ddad_scene_02", bag).sweeps == 3
    stamps = [frame.stamp_ns for frame in frames_from_bag(bag, 76, 121)]
    assert np.diff(stamps) * 1e-9 == pytest.approx([0.1, 0.1], abs=1e-3)


def test_cameras_that_are_no_pinhole_are_refused(shared_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only pinhole cameras"):
        export_frames(shared_dir / "data" / "fisheye_garage", tmp_path / "out.mcap")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [None, "nonsense", "{}", '{"cameras": {}, "frames": []}'])
def test_folders_that_lack_something_are_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "calib.json").write_text(text)
    with pytest.raises(DataError, match=r"calib\.json"):
        export_frames(tmp_path, tmp_path / "out.mcap")


def test_missing_files_times_and_sizes_are_named(tmp_path: Path) -> None:
    camera = {"width": 4, "height": 3, "K": np.eye(3).tolist(), "cam_to_ego": np.eye(4).tolist()}
    reading = {"file": "frames/000/A.jpg", "timestamp_us": 5, "ego_to_global": None}
    for changes, words in (({}, "A.jpg is missing"), ({"timestamp_us": None}, "no timestamp_us")):
        content = {"cameras": {"A": camera}, "frames": [{"cameras": {"A": reading | changes}}]}
        (tmp_path / "calib.json").write_text(json.dumps(content))
        with pytest.raises(DataError, match=words):
            export_frames(tmp_path, tmp_path / "out.mcap")
    content = {"cameras": {"A": camera | {"height": None}}, "frames": [{"cameras": {"A": reading}}]}
    (tmp_path / "calib.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="camera A has no width and height"):
        export_frames(tmp_path, tmp_path / "out.mcap")
