from pathlib import Path

import cv2
import numpy as np
import pytest

from distillnerf_core.data.bag_drive import BagDrive
from distillnerf_core.data.drive import BoxTrack, Drive, DriveImage, DriveScan
from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.data.simulated_bag import DriveConfig, record_drive
from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig
from distillnerf_core.errors import DataError
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.teachers.features.sources import DriveSource, LabelledSource, SimulatedSource, image_key

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
    source = DriveSource([drive], EgoMasks(str(masks)))
    first, second = source
    assert (first.key, second.key) == ("standing/FRONT/1000", "standing/BACK/2000")
    assert len(source) == 2
    assert first.read()[0, 0, 0] == 10 and second.read()[0, 0, 0] == 20
    valid = first.read_valid(4, 8)
    assert valid is not None and valid[:3].all() and not valid[3].any()
    assert second.read_valid(8, 16) is None
    assert first.read_labels is not None and second.read_labels is not None
    assert first.read_labels()[4, 8] == 4
    assert (second.read_labels() == 255).all()


def test_only_key_sweeps_unless_all_are_wanted() -> None:
    config = SimulatedDriveConfig(seconds=1.0, simulation=SMALL)
    drives = [SimulatedDrive(config.model_copy(update={"seed": seed})) for seed in (1, 2)]
    source = DriveSource(drives)
    # 12 sweeps of 6 cameras each second, 2 of them key sweeps; both streets begin at the same time.
    assert len(source) == len({image.key for image in source}) == 2 * 2 * 6
    assert len(DriveSource(drives, key_frames=False)) == 2 * 12 * 6
    first = next(iter(source))
    assert first.key == f"street_000001/{drives[0].images[0].camera}/{drives[0].images[0].stamp_ns}"
    assert first.read_labels is not None
    np.testing.assert_array_equal(first.read_labels(), drives[0].true_labels(drives[0].images[0]))
    with pytest.raises(DataError, match="same name cannot share"):
        DriveSource([drives[0], drives[0]])


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
    source = DriveSource([BagDrive(path)], EgoMasks(str(masks)))
    images = list(source)
    assert len(source) == len(images) == 12
    assert len({image.key for image in images}) == 12
    front = next(image for image in images if image.key.startswith("street/CAM_FRONT/"))
    assert front.read().shape == (36, 64, 3)
    valid = front.read_valid(36, 64)
    assert valid is not None and valid[:24].all() and not valid[28:].any()
    assert front.read_labels is None


def test_labels_from_images(tmp_path: Path) -> None:
    (tmp_path / "FRONT").mkdir()
    wanted = np.arange(8 * 16, dtype=np.uint8).reshape(8, 16)
    cv2.imwrite(str(tmp_path / "FRONT" / "1000.png"), wanted)
    source = LabelledSource(DriveSource([StandingDrive()]), tmp_path)
    first, second = source
    assert len(source) == 2
    assert first.read_labels is not None and second.read_labels is not None
    np.testing.assert_array_equal(first.read_labels(), wanted)
    (tmp_path / "standing" / "FRONT").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "standing" / "FRONT" / "1000.png"), wanted[::-1])
    own = next(iter(source)).read_labels
    assert own is not None
    np.testing.assert_array_equal(own(), wanted[::-1])
    with pytest.raises(DataError, match=r"BACK/2000\.png: expected a PNG of one channel"):
        second.read_labels()
    with pytest.raises(DataError, match="is no folder"):
        LabelledSource(source, tmp_path / "nothing")


def test_keys_name_drive_camera_and_time() -> None:
    assert image_key("scene-0061", "CAM_FRONT", 1532402927612460000) == "scene-0061/CAM_FRONT/1532402927612460000"
