"""Parameters of the way from messages to frames, as the interface contract names them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition

from distillnerf_core.streams.stream_config import InputOptions
from distillnerf_ros.config import NodeConfig
from distillnerf_ros.parameters import parameter_specs, read_parameters

CONTRACT = {
    "cameras": [""],
    "input.preset": "auto",
    "input.image_transport": "auto",
    "input.reliability": "best_effort",
    "input.calibration_file": "",
    "input.rectify": "auto",
    "input.camera_frames": [""],
    "input.ego_mask_dir": "",
    "sync.phases_ms": [""],
    "sync.auto_phase": False,
    "sync.tolerance_s": 0.015,
    "sync.grace_s": 0.10,
    "sync.min_cameras": 4,
    "sync.use_receive_time": False,
    "sync.reference": "front",
    "tf.base_frame": "base_link",
    "tf.fixed_frame": "auto",
    "tf.motion_compensation": "auto",
    "tf.timeout_s": 0.2,
    "tf.tolerance_s": 0.06,
}


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_the_contract_s_parameter_exists_with_its_default(name: str) -> None:
    spec = next(spec for spec in parameter_specs(NodeConfig) if spec.name == name)
    assert spec.default == CONTRACT[name]
    assert spec.descriptor.description


def test_every_input_reaches_the_stream(make_world: Callable[..., Any]) -> None:
    values: dict[str, Any] = {
        "cameras": ["CAM_FRONT", "CAM_BACK"],
        "input__camera_frames": ["CAM_BACK=rear_optical"],
        "input__rectify": "on",
        "input__max_fov_deg": 90.0,
        "input__max_image_pixels": 1000,
        "input__calibration_file": "calibration.json",
        "input__ego_mask_dir": "masks",
        "sync__use_receive_time": True,
        "sync__auto_phase": True,
        "sync__reference": "CAM_BACK",
    }
    stream = read_parameters(make_world(**values).node, NodeConfig).stream_config()
    assert stream.cameras == ("CAM_FRONT", "CAM_BACK")
    assert stream.camera_frames == {"CAM_BACK": "rear_optical"}
    assert (stream.rectify, stream.max_fov_deg, stream.max_image_pixels) == ("on", 90.0, 1000)
    assert (stream.calibration_file, stream.ego_mask_dir) == ("calibration.json", "masks")
    assert stream.synchroniser.use_receive_time
    assert stream.synchroniser.auto_phase
    assert stream.synchroniser.reference == "CAM_BACK"
    assert set(InputOptions.model_fields) <= set(type(stream).model_fields)


@pytest.mark.parametrize("name", ["input__ego_mask_dir", "input__calibration_file"])
def test_a_missing_file_is_said_when_the_node_is_configured(make_world: Callable[..., Any], name: str) -> None:
    world = make_world(**{name: "/nowhere/at/all"})
    assert not world.transition(Transition.TRANSITION_CONFIGURE)
    world.wait_for_trouble("model", "/nowhere/at/all")


def test_an_unknown_camera_is_refused_with_those_that_there_are(make_world: Callable[..., Any]) -> None:
    world = make_world(cameras=["CAM_TOP"])
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert not world.transition(Transition.TRANSITION_ACTIVATE)
    world.wait_for_trouble("input", "CAM_TOP", "CAM_FRONT_LEFT")


def test_a_node_of_four_cameras_with_a_mask_has_topics_for_those_alone(
    make_world: Callable[..., Any], tmp_path: Path
) -> None:
    chosen = ["CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT", "CAM_BACK"]
    mask = np.zeros((48, 88), np.uint8)
    mask[36:] = 255
    cv2.imwrite(str(tmp_path / "CAM_BACK.png"), mask)
    world = make_world(cameras=chosen, input__ego_mask_dir=str(tmp_path))
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    topics = {name for name, _ in world.node.get_topic_names_and_types()}
    assert "/distillnerf/CAM_BACK/depth/image" in topics
    assert "/distillnerf/CAM_BACK_LEFT/depth/image" not in topics
    assert world.node.session.stream.layout.names == (
        "CAM_FRONT",
        "CAM_FRONT_LEFT",
        "CAM_FRONT_RIGHT",
        "CAM_BACK",
    )
