"""A recorded drive, read through the streams, is the drive that was simulated."""

from pathlib import Path

import pytest
import torch

from distillnerf_core.data.simulated_bag import START_NS, DriveConfig, record_drive, sweep_count
from distillnerf_core.errors import BagError
from distillnerf_core.simulation.scene import sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep
from distillnerf_core.streams.bag_frames import frames_from_bag
from distillnerf_core.streams.bag_reader import BagReader

SIZE = SimulationConfig(height=36, width=64, supersampling=1, shadows=False)
CONFIG = DriveConfig(seed=9, seconds=1.0, rate_hz=2.0, simulation=SIZE, jpeg_quality=100)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drive") / "drive.mcap"
    assert len(list(record_drive(path, CONFIG))) == sweep_count(CONFIG) == 2
    return path


def test_topics_and_counts(bag: Path) -> None:
    with BagReader(bag) as reader:
        counts: dict[str, int] = {}
        for message in reader.messages():
            counts[message.topic] = counts.get(message.topic, 0) + 1
    assert counts["/CAM_FRONT/image_rect_compressed"] == counts["/CAM_BACK_LEFT/camera_info"] == 2
    assert counts["/LIDAR_TOP"] == 2 and counts["/tf_static"] == 1
    assert counts["/tf"] == counts["/odometry"] == pytest.approx(70, abs=2)


def test_frames_of_the_recording_are_the_simulated_sweeps(bag: Path) -> None:
    frames = list(frames_from_bag(bag, SIZE.height, SIZE.width))
    assert [frame.stamp_ns for frame in frames] == [START_NS + 7_600_000, START_NS + 507_600_000]
    for number, frame in enumerate(frames):
        expected = simulate_sweep(sample_scene(CONFIG.seed), number * 500_000_000, SIZE).frame
        assert frame.motion_compensated and frame.camera_mask.all()
        for index, name in enumerate(frame.rig.names):
            twin = expected.rig.names.index(name)
            assert frame.camera_stamps_ns[index] - START_NS == expected.camera_stamps_ns[twin]
            torch.testing.assert_close(
                frame.rig.camera_to_ego[index], expected.rig.camera_to_ego[twin], atol=2e-3, rtol=0
            )
            assert (frame.images[index] - expected.images[twin]).abs().mean() < 0.03


def test_an_existing_recording_is_not_overwritten_unasked(bag: Path) -> None:
    with pytest.raises(BagError, match="exists already"):
        next(record_drive(bag, CONFIG))
