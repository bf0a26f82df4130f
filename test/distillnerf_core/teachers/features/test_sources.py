from pathlib import Path

import cv2
import numpy as np
import pytest

from distillnerf_core.data.drive import BoxTrack, Drive, DriveImage, DriveScan
from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.errors import BagError, DataError
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.streams.stream_config import StreamConfig
from distillnerf_core.teachers.features.sources import (
    BagSource,
    DriveSource,
    FrameFolderSource,
    LabelledSource,
    SimulatedSource,
    image_key,
    image_size,
)

SMALL = SimulationConfig(height=36, width=64, supersampling=1)


class StandingDrive:
    """Two images of a standing car, one of them with the car in it."""

    name = "standing"
    cameras = ("FRONT", "BACK")
    sweep_stamps_ns = (1_000,)
    key_sweeps = (0,)
    scan_stamps_ns: tuple[int, ...] = ()

    def __init__(self) -> None:
        intrinsics = np.array([[10.0, 0, 8], [0, 10.0, 4], [0, 0, 1]])
        forward = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
        backward = forward * np.array([[-1.0], [-1.0], [1.0], [1.0]])
        self.images = (
            DriveImage("FRONT", 0, 1_000, intrinsics, forward, 8, 16),
            DriveImage("BACK", 0, 2_000, intrinsics, backward, 8, 16),
        )
        pose = np.eye(4)
        pose[0, 3] = 5.0
        self.tracks = (BoxTrack("a", "car", (2.0, 2.0, 2.0), np.array([0, 10]), np.stack([pose, pose])),)

    def ego_to_world(self, stamp_ns: int) -> np.ndarray:
        return np.eye(4)

    def read_image(self, image: DriveImage) -> np.ndarray:
        return np.full((image.height, image.width, 3), 10 * (1 + self.cameras.index(image.camera)), np.uint8)

    def read_scan(self, index: int) -> DriveScan:
        raise DataError("no LiDAR")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    mask = np.zeros((8, 16), np.uint8)
    mask[6:] = 255
    for camera in ("FRONT", "CAM_FRONT"):
        cv2.imwrite(str(folder / f"{camera}.png"), mask)
    return folder


def test_images_of_any_drive(masks: Path) -> None:
    drive = StandingDrive()
    assert isinstance(drive, Drive)
    source = DriveSource(drive, EgoMasks(str(masks)))
    first, second = source
    assert (first.key, second.key) == ("FRONT/1000", "BACK/2000")
    assert len(source) == 2
    assert first.read()[0, 0, 0] == 10 and second.read()[0, 0, 0] == 20
    valid = first.read_valid(4, 8)
    assert valid is not None and valid[:3].all() and not valid[3].any()
    assert second.read_valid(8, 16) is None
    assert first.read_labels is not None and second.read_labels is not None
    assert first.read_labels()[4, 8] == 4
    assert (second.read_labels() == 255).all()


def test_frames_of_a_folder(shared_dir: Path) -> None:
    source = FrameFolderSource(shared_dir / "data" / "nuscenes_sample")
    images = list(source)
    assert len(source) == len(images) == 6
    assert len({image.key for image in images}) == 6
    front = next(image for image in images if image.key.startswith("CAM_FRONT/"))
    pixels = front.read()
    assert pixels.shape[2] == 3 and pixels.max() > 100
    assert front.read_labels is not None
    labels = front.read_labels()
    assert labels.shape == pixels.shape[:2]
    # The recording has labelled cars; most of an image is background.
    assert 0 < (labels != 255).mean() < 0.5


def test_streets_have_exact_labels(tmp_path: Path) -> None:
    list(write_dataset(tmp_path, DatasetConfig(scenes=1, simulation=SMALL)))
    dataset = SimulatedDataset(tmp_path)
    source = SimulatedSource(dataset)
    images = list(source)
    assert len(source) == len(images) == 6
    frame = dataset[0]
    assert images[1].key == f"{frame.frame.rig.names[1]}/scene_000000_frame_00"
    assert images[1].read_labels is not None
    np.testing.assert_array_equal(images[1].read_labels(), frame.labels[1].numpy())
    expected = (frame.frame.images[1] * 255).round().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(images[1].read(), expected)


def test_images_of_a_recording(tmp_path: Path, masks: Path) -> None:
    path = tmp_path / "street.mcap"
    list(record_drive(path, DriveConfig(seconds=1.0, pose_rate_hz=20.0, lidar=False, simulation=SMALL)))
    config = StreamConfig(ego_mask_dir=str(masks))
    assert image_size(path, config) == (36, 64)
    source = BagSource(path, 18, 32, config)
    images = list(source)
    assert len(source) == len(images) == 12
    assert len({image.key for image in images}) == 12
    cameras = {image.key.split("/")[0] for image in images}
    assert len(cameras) == 6 and "CAM_FRONT" in cameras
    front = next(image for image in images if image.key.startswith("CAM_FRONT/"))
    assert front.read().shape == (18, 32, 3)
    valid = front.read_valid(18, 32)
    assert valid is not None and valid[:12].all() and not valid[14:].any()
    assert front.read_labels is None


def test_a_recording_without_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        bag.write_compressed_image("/CAM_FRONT/image_rect_compressed", 10, "CAM_FRONT", b"\xff\xd8", log_ns=10)
    with pytest.raises(BagError, match="no CameraInfo"):
        image_size(path, StreamConfig())


def test_labels_from_images(tmp_path: Path) -> None:
    (tmp_path / "FRONT").mkdir()
    wanted = np.arange(8 * 16, dtype=np.uint8).reshape(8, 16)
    cv2.imwrite(str(tmp_path / "FRONT" / "1000.png"), wanted)
    source = LabelledSource(DriveSource(StandingDrive()), tmp_path)
    first, second = source
    assert len(source) == 2
    assert first.read_labels is not None and second.read_labels is not None
    np.testing.assert_array_equal(first.read_labels(), wanted)
    with pytest.raises(DataError, match=r"BACK/2000\.png: expected a PNG of one channel"):
        second.read_labels()
    with pytest.raises(DataError, match="is no folder"):
        LabelledSource(source, tmp_path / "nothing")


def test_keys_name_camera_and_time() -> None:
    assert image_key("CAM_FRONT", 1532402927612460000) == "CAM_FRONT/1532402927612460000"
