from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from distillnerf_core.cli.bag import app
from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.stamped_transform import StampedTransform

NEEDS = "training: possible: 6 cameras, poses from TF in map, LiDAR /LIDAR_TOP"


def test_info_says_what_training_lacks(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        bag.write_tf([StampedTransform("base_link", "lidar", 5, np.eye(4))], 5, static=True)
        bag.write_point_cloud("/points", 5, "lidar", np.zeros(3, dtype=[(axis, "<f4") for axis in "xyz"]))
    shown = CliRunner().invoke(app, ["info", str(path)])
    assert shown.exit_code == 0
    assert "training: not possible: no cameras recognised; no poses (record /tf with odom or map" in shown.output


def test_from_frames_then_info(shared_dir: Path, tmp_path: Path) -> None:
    bag = tmp_path / "out.mcap"
    arguments = ["from-frames", str(shared_dir / "data" / "nuscenes_sample"), str(bag), "--repeat", "2", "--rate", "5"]
    written = CliRunner().invoke(app, arguments)
    assert written.exit_code == 0, written.output
    assert "2 sweeps, 12 images, 2 LiDAR sweeps" in written.output
    shown = CliRunner().invoke(app, ["info", str(bag)])
    assert shown.exit_code == 0
    for words in (
        "/CAM_BACK_LEFT/image_rect_compressed",
        "5.00 Hz",
        "preset: nuscenes_upper",
        "map -> base_link",
        NEEDS,
    ):
        assert words in shown.output


def test_info_of_a_cut_bag_shows_what_is_there_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        for step in range(100):
            bag.write_tf([StampedTransform("map", "base_link", step, np.eye(4))], step)
    path.write_bytes(path.read_bytes()[:-5000])
    shown = CliRunner().invoke(app, ["info", str(path)])
    assert shown.exit_code == 1
    assert "/tf" in shown.output
    assert "cut or damaged" in shown.output


def test_phases_are_found_from_the_stamps(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    phases_ms = {"CAM_FRONT": 7.6, "CAM_BACK": 32.7, "CAM_FRONT_LEFT": 0.0}
    random = np.random.default_rng(0)
    with BagWriter(path) as bag:
        for sweep in range(40):
            start = 10**18 + sweep * 500_000_000
            for name, phase in phases_ms.items():
                stamp = start + round((phase + random.uniform(-0.4, 0.4)) * 1e6)
                bag.write_compressed_image(f"/{name}/image_rect_compressed", stamp, name, b"\xff\xd8")
    shown = CliRunner().invoke(app, ["phases", str(path)])
    assert shown.exit_code == 0, shown.output
    found = yaml.safe_load(shown.output)["phases_ms"]
    assert list(found) == ["CAM_FRONT_LEFT", "CAM_FRONT", "CAM_BACK"]
    assert found == pytest.approx(phases_ms, abs=0.5)


def test_images_without_stamps_have_no_phases(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        bag.write_compressed_image("/CAM_FRONT/image_rect_compressed", 0, "CAM_FRONT", b"\xff\xd8", log_ns=10**18)
    with pytest.raises(BagError, match=r"no image of CAM_FRONT.* carries a stamp; use sync\.use_receive_time"):
        CliRunner().invoke(app, ["phases", str(path)], catch_exceptions=False)
