from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from distillnerf_core.cli.bag import app
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.stamped_transform import StampedTransform


def test_from_frames_then_info(shared_dir: Path, tmp_path: Path) -> None:
    bag = tmp_path / "out.mcap"
    arguments = ["from-frames", str(shared_dir / "data" / "nuscenes_sample"), str(bag), "--repeat", "2", "--rate", "5"]
    written = CliRunner().invoke(app, arguments)
    assert written.exit_code == 0, written.output
    assert "2 sweeps, 12 images, 2 LiDAR sweeps" in written.output
    shown = CliRunner().invoke(app, ["info", str(bag)])
    assert shown.exit_code == 0
    for words in ("/CAM_BACK_LEFT/image_rect_compressed", "5.00 Hz", "preset: nuscenes_upper", "map -> base_link"):
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
