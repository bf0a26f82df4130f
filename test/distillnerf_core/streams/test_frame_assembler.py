from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distillnerf_core.errors import CalibrationError, ImageDecodeError, TransformError
from distillnerf_core.streams.calibration_book import CalibrationBook
from distillnerf_core.streams.camera_set import CameraSet
from distillnerf_core.streams.frame_assembler import FrameAssembler, LocatedSweep
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.stream_config import MotionConfig
from distillnerf_core.streams.sweep_locator import SweepLocator, SweepPoses, find_fixed_frame
from distillnerf_core.streams.transform_buffer import TransformBuffer

SECOND = 1_000_000_000
START = 1_532_402_927 * SECOND
CAMERAS = ("A", "B", "C")
K = np.array([[80.0, 0.0, 64.0], [0.0, 80.0, 40.0], [0.0, 0.0, 1.0]])
FACTORY = MessageFactory()


def jpeg(colour: tuple[int, int, int]) -> bytes:
    image = np.full((80, 128, 3), colour[::-1], dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def image(camera: str, stamp: int, colour: tuple[int, int, int] = (200, 30, 30)) -> Any:
    return FACTORY.compressed_image(stamp, camera, jpeg(colour), "jpeg")


def shift(x: float) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[0, 3] = x
    return matrix


def sweep(**payloads: Any) -> CameraSet:
    stamps = {"A": START, "B": START + 20_000_000, "C": START + 40_000_000}
    return CameraSet(
        cameras=CAMERAS,
        stamp_ns=START,
        stamps_ns=tuple(stamps[name] if name in payloads else 0 for name in CAMERAS),
        payloads=tuple(payloads.get(name) for name in CAMERAS),
        stamp_errors_ns=tuple(0 if name in payloads else None for name in CAMERAS),
        taken_ns=START,
    )


def located(one: CameraSet, problems: dict[str, str] | None = None, infos: tuple[str, ...] = CAMERAS) -> LocatedSweep:
    book = CalibrationBook(dict.fromkeys(CAMERAS, True))
    for camera in infos:
        book.take(camera, FACTORY.camera_info(START, camera, (80, 128), K), f"/{camera}/camera_info")
    poses = SweepPoses({name: shift(index) for index, name in enumerate(CAMERAS)}, True, problems or {})
    return LocatedSweep(one, poses, tuple(book.calibration(name) for name in CAMERAS), CAMERAS)


def test_images_calibration_and_poses_end_in_the_frame() -> None:
    one = sweep(**{name: image(name, START) for name in CAMERAS})
    done = FrameAssembler(40, 32).assemble(located(one))
    frame = done.frame
    assert frame.images.shape == (3, 3, 40, 32)
    assert frame.images.dtype == torch.float32
    np.testing.assert_allclose(frame.images[0, :, 20, 16] * 255, [200, 30, 30], atol=4)
    np.testing.assert_allclose(frame.rig.intrinsics[1], [[20, 0, 16], [0, 40, 20], [0, 0, 1]])
    assert frame.rig.camera_to_ego[2, 0, 3] == 2.0
    assert frame.camera_stamps_ns == one.stamps_ns
    assert (done.problems, done.optical_frames, frame.motion_compensated) == ({}, CAMERAS, True)


def test_missing_cameras_are_masked_and_black() -> None:
    frame = FrameAssembler(40, 32).assemble(located(sweep(A=image("A", START), C=image("C", START)))).frame
    assert frame.camera_mask.tolist() == [True, False, True]
    assert frame.images[1].abs().max() == 0
    assert frame.visible().rig.names == ("A", "C")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            SimpleNamespace(header=image("B", START).header, format="jpeg", data=jpeg((1, 2, 3))[:-300]),
            "truncated JPEG",
        ),
        (FACTORY.image(START, "B", np.zeros((80, 128), np.uint16), "32FC1"), "not supported"),
        (FACTORY.image(START, "B", np.zeros((40, 64, 3), np.uint8), "rgb8"), "CameraInfo is for 128x80"),
    ],
)
def test_an_unusable_image_masks_its_camera_and_says_why(broken: Any, words: str) -> None:
    one = sweep(A=image("A", START), B=broken, C=image("C", START))
    done = FrameAssembler(40, 32, min_cameras=2).assemble(located(one))
    assert done.frame.camera_mask.tolist() == [True, False, True]
    assert done.frame.camera_stamps_ns[1] == 0
    assert words in done.problems["B"]
    with pytest.raises((ImageDecodeError, CalibrationError), match="only 2 of 3 cameras"):
        FrameAssembler(40, 32, min_cameras=3).assemble(located(one))


def test_a_camera_without_calibration_or_pose_is_masked() -> None:
    one = sweep(**{name: image(name, START) for name in CAMERAS})
    done = FrameAssembler(40, 32).assemble(located(one, problems={"C": "C is lost"}, infos=("A", "C")))
    assert done.frame.camera_mask.tolist() == [True, False, False]
    assert "no usable CameraInfo" in done.problems["B"]
    assert done.problems["C"] == "C is lost"
    assert torch.isfinite(done.frame.rig.intrinsics).all()


def test_stereo_rectified_images_turn_the_extrinsic() -> None:
    turn, _ = cv2.Rodrigues(np.array([0.0, 0.1, 0.0]))
    info = FACTORY.camera_info(START, "A", (80, 128), K)
    info.r = turn.reshape(-1)
    book = CalibrationBook(dict.fromkeys(CAMERAS, True))
    book.take("A", info, "/A/camera_info")
    one = sweep(A=image("A", START))
    base = located(one)
    turned = LocatedSweep(one, base.poses, (book.calibration("A"), None, None), CAMERAS)
    pose = FrameAssembler(40, 32).assemble(turned).frame.rig.camera_to_ego[0, :3, :3]
    np.testing.assert_allclose(pose, turn.T, atol=1e-6)


def buffer_of_a_drive(last_s: float = 0.1) -> TransformBuffer:
    buffer = TransformBuffer()
    for index, camera in enumerate(CAMERAS):
        buffer.add("base_link", camera, 0, shift(float(index)), static=True)
    for step in range(round(last_s * 100) + 1):
        buffer.add("map", "base_link", START + step * SECOND // 100, shift(0.15 * step))
    return buffer


def full() -> CameraSet:
    return sweep(**{name: image(name, START) for name in CAMERAS})


def test_extrinsics_are_motion_compensated() -> None:
    poses = SweepLocator(buffer_of_a_drive(), MotionConfig()).locate(full(), CAMERAS, final=False)
    assert poses.motion_compensated
    assert [poses.base_from_camera[name][0, 3] for name in CAMERAS] == pytest.approx([0.0, 1.3, 2.6])


def test_lagging_transforms_are_waited_for_then_extrapolated() -> None:
    buffer = buffer_of_a_drive(0.1)
    middle = START + SECOND // 2
    stamps = (middle, middle, START + SECOND * 54 // 100)
    late = CameraSet(CAMERAS, middle, stamps, (1, 1, 1), (0, 0, 0), middle)
    locator = SweepLocator(buffer, MotionConfig())
    with pytest.raises(TransformError, match="after the newest"):
        locator.locate(late, CAMERAS, final=False)
    poses = locator.locate(late, CAMERAS, final=True)
    assert poses.motion_compensated
    assert poses.base_from_camera["C"][0, 3] == pytest.approx(2.0 + 15 * 0.04)


def test_without_a_fixed_frame_static_extrinsics_are_flagged() -> None:
    buffer = TransformBuffer()
    for index, camera in enumerate(CAMERAS):
        buffer.add("base_link", camera, START, shift(float(index)))
    poses = SweepLocator(buffer, MotionConfig()).locate(full(), CAMERAS, final=True)
    assert not poses.motion_compensated
    assert poses.base_from_camera["C"][0, 3] == 2.0
    with pytest.raises(TransformError, match="no fixed frame"):
        SweepLocator(buffer, MotionConfig(motion_compensation="on")).locate(full(), CAMERAS, final=True)


def test_motion_compensation_can_be_switched_off() -> None:
    config = MotionConfig(motion_compensation="off")
    poses = SweepLocator(buffer_of_a_drive(), config).locate(full(), CAMERAS, final=False)
    assert not poses.motion_compensated
    assert poses.base_from_camera["C"][0, 3] == 2.0


def test_a_camera_without_transform_is_a_problem_of_that_camera() -> None:
    frames = ("A", "B", "unknown")
    locator = SweepLocator(buffer_of_a_drive(), MotionConfig())
    with pytest.raises(TransformError, match="unknown"):
        locator.locate(full(), frames, final=False)
    poses = locator.locate(full(), frames, final=True)
    assert list(poses.problems) == ["C"]
    assert poses.motion_compensated
    with pytest.raises(TransformError, match="base_link"):
        SweepLocator(TransformBuffer(), MotionConfig()).locate(full(), CAMERAS, final=True)


def test_the_fixed_frame_prefers_odom_over_map() -> None:
    buffer = buffer_of_a_drive()
    buffer.add("odom", "map", 0, np.eye(4), static=True)
    assert find_fixed_frame(buffer, MotionConfig()) == "odom"
