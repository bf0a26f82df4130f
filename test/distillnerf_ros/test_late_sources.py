"""Cameras may start after the node, with messages of another type than their topics' names suggest."""

from collections.abc import Callable
from typing import Any

import pytest
from distillnerf_ros.msg import FrameStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from distillnerf_core.simulation.rig import CAMERA_NAMES, PHASES_MS

STATUS = "/distillnerf/status"


def activate_alone(world: Any) -> None:
    """Activates the node before there is any camera."""
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    assert world.node.session is not None


def raw_images(make: Any) -> dict[str, Any]:
    return {name: make.raw(make.picture(name), "rgb8") for name in CAMERA_NAMES}


def test_images_of_another_type_than_guessed_are_taken(make_world: Callable[..., Any], make: Any) -> None:
    world = make_world(sync__tolerance_s=0.015)
    world.listen(STATUS, FrameStatus)
    activate_alone(world)
    world.plug_in(Image, world.node_elsewhere())  # of /CAM_.../image_rect_compressed

    def perceived() -> bool:
        world.publish_mounts()
        world.publish_sweep(len(world.received.get(STATUS, [])) + next(numbers), images=raw_images(make))
        return any(all(status.used) for status in world.received.get(STATUS, []))

    numbers = iter(range(1000))
    world.wait_for("a frame of raw images", perceived)


def test_another_type_than_asked_for_is_named_with_the_remedy(make_world: Callable[..., Any]) -> None:
    world = make_world(input__image_transport="compressed")
    activate_alone(world)
    world.plug_in(Image, world.node_elsewhere())
    topic = "/CAM_BACK/image_rect_compressed carries sensor_msgs/msg/Image"
    world.wait_for_trouble("camera CAM_BACK", topic, "set input.image_transport to auto")


def test_a_topic_without_images_is_named(world: Any) -> None:
    activate_alone(world)
    publisher = world.node_elsewhere().create_publisher(CameraInfo, "/CAM_BACK/image_rect_compressed", 10)
    world.wait_for_trouble("camera CAM_BACK", "carries sensor_msgs/msg/CameraInfo", "in the preset")
    assert publisher.get_subscription_count() == 0


@pytest.mark.parametrize("latched", [True, False])
def test_a_calibration_that_was_latched_before_is_heard(world: Any, make: Any, latched: bool) -> None:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    qos = QoSProfile(depth=1, durability=durability)
    publishers = {name: world.client.create_publisher(CameraInfo, f"/{name}/camera_info", qos) for name in CAMERA_NAMES}
    for (name, publisher), phase in zip(publishers.items(), PHASES_MS, strict=True):
        publisher.publish(make.info(name, round(phase * 1e6)))
    activate_alone(world)
    if not latched:
        world.wait_for("subscriptions", lambda: all(item.get_subscription_count() for item in publishers.values()))
    stream = world.node.session.stream
    if latched:
        world.wait_for("calibrations", lambda: stream.calibrated)
    else:
        assert not stream.calibrated
