"""QoS of topics can be overridden by parameters, as in other ROS 2 nodes."""

from collections.abc import Callable
from typing import Any

from distillnerf_ros.msg import FrameStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage


def test_outputs_are_reliable_and_inputs_best_effort(make_world: Callable[..., Any]) -> None:
    world = make_world(input__reliability="best_effort")
    world.activate()
    (output,) = world.client.get_publishers_info_by_topic("/distillnerf/occupancy/points")
    assert output.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    (images,) = world.client.get_subscriptions_info_by_topic("/CAM_FRONT/image_rect_compressed")
    assert images.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT


def test_parameters_override_them(make_world: Callable[..., Any]) -> None:
    status, image = "/distillnerf/status", "/CAM_FRONT/image_rect_compressed"
    overrides = {
        f"qos_overrides.{status}.publisher.reliability": "best_effort",
        f"qos_overrides.{image}.subscription.reliability": "best_effort",
    }
    world = make_world(**overrides)
    world.listen(status, FrameStatus)
    world.activate()
    (output,) = world.client.get_publishers_info_by_topic(status)
    assert output.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
    (images,) = world.client.get_subscriptions_info_by_topic(image)
    assert images.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
    (other,) = world.client.get_subscriptions_info_by_topic("/CAM_BACK/image_rect_compressed")
    assert other.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    described = world.node.describe_parameter(f"qos_overrides.{status}.publisher.reliability")
    assert "reliability" in described.description


def test_who_hears_nothing_is_named(make_world: Callable[..., Any]) -> None:
    world = make_world()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    world.client.create_subscription(FrameStatus, "/distillnerf/status", lambda _: None, latched)
    world.activate()
    world.wait_for_trouble("qos", "client hears nothing on /distillnerf/status", "qos_overrides")


def test_images_that_cannot_be_heard_are_named(make_world: Callable[..., Any]) -> None:
    world = make_world(input__reliability="reliable")
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    offered = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    world.client.create_publisher(CompressedImage, "/CAM_BACK/image_rect_compressed", offered)
    world.wait_for_trouble("camera CAM_BACK", "/CAM_BACK/image_rect_compressed cannot be heard", "input.reliability")
