from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distillnerf_core.errors import BagError, CalibrationError, ConfigurationError, TransformError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.streams.bag_frames import BagFrameSource, frames_from_bag
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.camera_set import AddOutcome
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.layouts import load_layout
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_core.streams.stream_config import MotionConfig, StreamConfig
from distillnerf_core.streams.synchroniser import SynchroniserConfig

MS = 1_000_000
START = 1_532_402_927_000 * MS
LAYOUT = load_layout("nuscenes_upper")
FACTORY = MessageFactory()
K = np.array([[20.0, 0.0, 16.0], [0.0, 20.0, 10.0], [0.0, 0.0, 1.0]])
SPEED = 15.0


def shift(x: float) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[0, 3] = x
    return matrix


def poses_at(stamp: int) -> list[StampedTransform]:
    base = StampedTransform("map", "base_link", stamp, shift(SPEED * (stamp - START) * 1e-9))
    return [base, *(StampedTransform("base_link", name, stamp, shift(1.0)) for name in LAYOUT.names)]


def write_drive(
    path: Path, cycles: int = 8, *, tf_every: int = 1, first_tf_ms: float = 0.0, without: tuple[str, ...] = ()
) -> Path:
    """A drive in the WATonomous layout, TF at the stamps of every n-th sweep only."""
    order = sorted(LAYOUT.phases_ms, key=LAYOUT.phases_ms.__getitem__)
    with BagWriter(path) as bag:
        for cycle in range(cycles):
            for camera in order:
                stamp = START + round((75 * cycle + LAYOUT.phases_ms[camera]) * MS)
                if cycle % tf_every == 0 and stamp >= START + first_tf_ms * MS:
                    bag.write_tf(poses_at(stamp), stamp)
                bag.write_camera_info(f"/{camera}/camera_info", stamp, camera, (20, 32), K)
                if camera not in without:
                    pixels = np.full((20, 32, 3), 10 * cycle, np.uint8)
                    bag.write_image(f"/{camera}/image_rect_compressed", stamp, camera, pixels, "rgb8")
    return path


def expected_x(camera: str) -> float:
    return 1.0 + SPEED * (LAYOUT.phases_ms[camera] - LAYOUT.phases_ms["CAM_FRONT"]) * 1e-3


@pytest.mark.parametrize("name", ["drive.mcap", "drive.db3", "drive"])
def test_a_bag_gives_every_sweep_with_compensated_motion(tmp_path: Path, name: str) -> None:
    frames = list(frames_from_bag(write_drive(tmp_path / name), 10, 16))
    assert len(frames) == 8
    for cycle, frame in enumerate(frames):
        assert frame.motion_compensated
        assert frame.camera_mask.all()
        assert frame.stamp_ns == START + round((75 * cycle + 7.6) * MS)
        np.testing.assert_allclose(frame.images * 255, 10 * cycle, atol=1e-4)
        np.testing.assert_allclose(
            frame.rig.camera_to_ego[:, 0, 3], [expected_x(camera) for camera in LAYOUT.names], atol=1e-5
        )


def test_sparse_transforms_are_extrapolated_not_ignored(tmp_path: Path) -> None:
    frames = list(frames_from_bag(write_drive(tmp_path / "drive.mcap", 13, tf_every=7), 10, 16))
    assert len(frames) == 13
    for frame in frames:
        assert frame.motion_compensated
        found = frame.rig.camera_to_ego[:, 0, 3]
        np.testing.assert_allclose(found, [expected_x(camera) for camera in LAYOUT.names], atol=1e-4)


def test_images_before_the_first_transform_wait_for_it_or_are_counted(tmp_path: Path) -> None:
    early = BagFrameSource(write_drive(tmp_path / "early.mcap", first_tf_ms=42.0), 10, 16)
    assert len(list(early)) == 8
    late = BagFrameSource(write_drive(tmp_path / "late.mcap", first_tf_ms=420.0), 10, 16)
    frames = [item.frame for item in late]
    assert late.stream.dropped["no transform"] + len(frames) == 8
    assert late.stream.dropped["no transform"] >= 1
    assert "not connected" in late.stream.last_problem


def test_a_dead_camera_is_masked_and_below_the_minimum_nothing_leaves(tmp_path: Path) -> None:
    source = BagFrameSource(write_drive(tmp_path / "five.mcap", without=("CAM_BACK",)), 10, 16)
    frames = [item.frame for item in source]
    assert len(frames) == 8
    assert all(not frame.camera_mask[LAYOUT.names.index("CAM_BACK")] for frame in frames)
    few = BagFrameSource(
        write_drive(tmp_path / "three.mcap", without=LAYOUT.names[:3]), 10, 16, StreamConfig(preset="nuscenes_upper")
    )
    assert list(few) == []
    assert few.stream.synchroniser.sweeps.incomplete == 8


def test_a_cut_bag_gives_its_frames_before_the_error(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "drive.mcap")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames: list[MultiViewFrame] = []
    with pytest.raises(BagError, match="cut or damaged"):
        frames.extend(frames_from_bag(path, 10, 16))
    assert 3 <= len(frames) <= 5


def test_an_iteration_can_be_left_early(tmp_path: Path) -> None:
    iterator = frames_from_bag(write_drive(tmp_path / "drive.mcap"), 10, 16)
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]


def test_a_bag_without_known_cameras_says_what_to_do(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag.mcap") as bag:
        bag.write_image("/stereo/left", START, "left", np.zeros((4, 4, 3), np.uint8), "rgb8")
    with pytest.raises(ConfigurationError, match=r"/stereo/left.*copy a preset"):
        BagFrameSource(tmp_path / "bag.mcap", 10, 16)


def stream(**motion: Any) -> FrameStream:
    return FrameStream(LAYOUT, StreamConfig(motion=MotionConfig(**motion)))


def learning_stream(phases_ms: dict[str, float]) -> FrameStream:
    return FrameStream(LAYOUT, StreamConfig(synchroniser=SynchroniserConfig(auto_phase=True, phases_ms=phases_ms)))


def give_sweep(target: FrameStream, start: int, cameras: Sequence[str] = LAYOUT.names) -> int:
    for camera in sorted(cameras, key=LAYOUT.phases_ms.__getitem__):
        stamp = start + round(LAYOUT.phases_ms[camera] * MS)
        pixels = np.zeros((20, 32, 3), np.uint8)
        target.add_image(camera, FACTORY.image(stamp, camera, pixels, "rgb8"), stamp)
    return start + 43 * MS


def test_sweeps_wait_for_transforms_until_the_timeout() -> None:
    live = stream(timeout_s=0.2)
    now = give_sweep(live, START)
    live.transforms.add("base_link", "CAM_FRONT", START, shift(1.0), static=True)
    assert live.poll(now) == []
    assert live.poll(now + 199 * MS) == []
    (one,) = live.poll(now + 201 * MS)
    assert not one.poses.motion_compensated
    assert set(one.poses.problems) == set(LAYOUT.names) - {"CAM_FRONT"}


def test_the_stream_never_holds_more_than_a_few_sweeps() -> None:
    live = stream(timeout_s=10.0)
    for cycle in range(100):
        assert live.poll(give_sweep(live, START + 75 * cycle * MS)) == []
    assert len(live._waiting) <= 16
    assert live.dropped["no transform"] == 84


def test_a_loop_of_the_bag_starts_everything_over() -> None:
    live = stream()
    for cycle in range(30):
        now = START + 75 * cycle * MS
        live.add_transforms(FACTORY.transforms(poses_at(now) + poses_at(now + 43 * MS)))
        assert len(live.poll(give_sweep(live, now))) == 1
    live.add_transforms(FACTORY.transforms(poses_at(START) + poses_at(START + 43 * MS)))
    (one,) = live.poll(give_sweep(live, START))
    assert one.sweep.stamp_ns == START + round(7.6 * MS)
    assert one.poses.base_from_camera["CAM_BACK_LEFT"][0, 3] == pytest.approx(expected_x("CAM_BACK_LEFT"))
    assert live.synchroniser.sweeps.resets == 1


def test_no_pose_from_before_a_jump_of_the_images_answers() -> None:
    live = stream()
    for cycle in range(8):
        live.add_transforms(FACTORY.transforms(poses_at(give_sweep(live, START + 75 * cycle * MS))))
    give_sweep(live, START + 150 * MS, ["CAM_FRONT"])
    with pytest.raises(TransformError, match="not connected"):
        live.transforms.lookup("map", START + 160 * MS, "base_link", START + 160 * MS, "map")


def test_learning_phases_loses_neither_counters_nor_waiting_images() -> None:
    live = learning_stream({"CAM_BACK": 40.0})
    for cycle in range(40):
        sweeps = live.synchroniser.poll(give_sweep(live, START + 75 * cycle * MS))
    assert {counter.received for counter in live.synchroniser.counters.values()} == {40}
    assert [sweep.missing for sweep in sweeps] == [()]


def test_a_camera_that_is_silent_while_phases_are_learned_keeps_its_phase() -> None:
    live = learning_stream(LAYOUT.phases_ms | {"CAM_FRONT_LEFT": 30.0})
    for cycle in range(40):
        cameras = LAYOUT.names if cycle > 30 else [name for name in LAYOUT.names if name != "CAM_BACK"]
        sweeps = live.synchroniser.poll(give_sweep(live, START + 75 * cycle * MS, cameras))
    assert [sweep.missing for sweep in sweeps] == [()]


def test_bad_calibration_and_transforms_raise_and_are_remembered() -> None:
    live = stream()
    with pytest.raises(CalibrationError, match="/CAM_FRONT/camera_info"):
        live.add_camera_info("CAM_FRONT", FACTORY.camera_info(START, "CAM_FRONT", (20, 32), np.zeros((3, 3))))
    assert "/CAM_FRONT/camera_info" in live.last_problem
    bad = FACTORY.transforms(poses_at(START)[:1])
    bad.transforms[0].transform.translation.x = float("nan")
    with pytest.raises(TransformError, match="map -> base_link"):
        live.add_transforms(bad)


def test_unstamped_images_are_explained() -> None:
    live = stream()
    message = FACTORY.image(0, "CAM_FRONT", np.zeros((2, 2, 3), np.uint8), "rgb8")
    assert live.add_image("CAM_FRONT", message, START) is AddOutcome.UNSTAMPED
    assert "use_receive_time" in live.last_problem


def test_calibration_files_serve_bags_without_camera_info(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    cameras = ", ".join(
        f'"{name}": {{"width": 32, "height": 20, "K": {K.tolist()}}}' for name in load_layout("nuscenes_raw").names
    )
    path.write_text(f'{{"cameras": {{{cameras}}}}}')
    config = StreamConfig(preset="nuscenes_raw", calibration_file=str(path), synchroniser=SynchroniserConfig())
    with BagWriter(tmp_path / "raw.mcap") as bag:
        for cycle in range(3):
            for name in sorted(LAYOUT.phases_ms, key=LAYOUT.phases_ms.__getitem__):
                log = START + round((75 * cycle + LAYOUT.phases_ms[name]) * MS)
                transforms = [
                    StampedTransform("odom", "base_link", log, np.eye(4)),
                    *(StampedTransform("base_link", camera.lower(), log, shift(1.0)) for camera in LAYOUT.names),
                ]
                bag.write_tf(transforms, log)
                pixels = np.full((20, 32, 3), 9, np.uint8)
                bag.write_image(f"/{name.lower()}/raw", 0, "", pixels, "bgr8", log_ns=log)
    frames = list(frames_from_bag(tmp_path / "raw.mcap", 10, 16, config))
    assert [bool(frame.camera_mask.all()) for frame in frames] == [True] * 3


def test_arrival_is_the_stamp_where_receive_time_is_asked_for() -> None:
    live = FrameStream(LAYOUT, StreamConfig(synchroniser=SynchroniserConfig(use_receive_time=True)))
    live.transforms.add("odom", "base_link", START, np.eye(4))
    for name in LAYOUT.names:
        live.transforms.add("base_link", name, START, np.eye(4), static=True)
    uptime = 5_000 * MS
    for camera in sorted(LAYOUT.names, key=LAYOUT.phases_ms.__getitem__):
        phase = round(LAYOUT.phases_ms[camera] * MS)
        message = FACTORY.image(0, "", np.zeros((2, 2, 3), np.uint8), "rgb8")
        outcome = live.add_image(camera, message, uptime + phase, START + phase)
        assert outcome is AddOutcome.ACCEPTED
    (one,) = live.poll(uptime + 43 * MS)
    assert one.sweep.stamp_ns == START + round(7.6 * MS)
    assert one.poses.motion_compensated


def test_chosen_cameras_with_frames_of_their_own_are_the_whole_rig(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "drive.mcap", cycles=3)
    config = StreamConfig(cameras=("CAM_BACK", "CAM_FRONT"), camera_frames={"CAM_BACK": "base_link"})
    assembled = list(BagFrameSource(path, 10, 16, config))
    assert len(assembled) == 3
    for item in assembled:
        assert item.frame.rig.names == ("CAM_FRONT", "CAM_BACK")
        assert item.optical_frames == ("CAM_FRONT", "base_link")
        assert item.frame.rig.camera_to_ego[1, 0, 3] == pytest.approx(expected_x("CAM_BACK") - 1.0, abs=1e-5)


def test_masks_mark_pixels_of_their_camera_alone(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "drive.mcap", cycles=2)
    masks = tmp_path / "masks"
    masks.mkdir()
    body = np.zeros((20, 32), np.uint8)
    body[10:] = 255
    cv2.imwrite(str(masks / "CAM_BACK.png"), body)
    frame, *_ = frames_from_bag(path, 10, 16, StreamConfig(ego_mask_dir=str(masks)))
    assert frame.valid is not None
    assert frame.valid.shape == (6, 10, 16)
    back = frame.rig.names.index("CAM_BACK")
    assert frame.valid[back, :5].all()
    assert not frame.valid[back, 5:].any()
    assert frame.valid[[index for index in range(6) if index != back]].all()
    (other, *_) = frames_from_bag(path, 10, 16)
    assert other.valid is None
    with pytest.raises(ConfigurationError, match="ego_mask_dir"):
        BagFrameSource(path, 10, 16, StreamConfig(ego_mask_dir=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(("rectify", "straightened"), [("auto", False), ("off", False), ("on", True)])
def test_rectification_can_be_forced_and_forbidden(rectify: Any, straightened: bool) -> None:
    live = FrameStream(LAYOUT, StreamConfig(rectify=rectify))
    message = FACTORY.camera_info(START, "CAM_FRONT", (20, 32), K, distortion=(-0.2, 0.0, 0.0, 0.0, 0.0))
    message.p = np.concatenate([K * 0.5, np.zeros((3, 1))], axis=1).reshape(-1)
    live.add_camera_info("CAM_FRONT", message)
    calibration = live.calibrations.calibration("CAM_FRONT")
    assert calibration is not None
    assert calibration.distortion_model == ("plumb_bob" if straightened else "")
    assert calibration.intrinsics[0, 0] == (K[0, 0] if straightened else K[0, 0] * 0.5)
