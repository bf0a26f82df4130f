"""Whatever a sensor sends, the node says what is wrong and goes on."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from distillnerf_ros.msg import FrameStatus
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from distillnerf_core.streams.message_fields import stamp_ns

STATUS = "/distillnerf/status"
LEFT = "CAM_FRONT_LEFT"


def start(world: Any) -> None:
    world.listen(STATUS, FrameStatus)
    world.activate()


def used(status: FrameStatus) -> dict[str, bool]:
    return dict(zip(status.cameras, status.used, strict=True))


def publish_until_perceived(
    world: Any, accept: Callable[[FrameStatus], bool], images: Any = None, infos: Any = None, first: int = 0
) -> FrameStatus:
    """Publishes sweeps until the status of one is accepted."""
    for number in range(first, first + 200):
        reference_ns = world.publish_sweep(number, images, infos)
        status = world.wait_for_message(STATUS, lambda item, at=reference_ns: stamp_ns(item.header) == at)
        if accept(status):
            return status
    raise AssertionError(f"no status was accepted; diagnostics: {world.diagnostics()}")


def test_an_unplugged_camera_is_masked_and_named(world: Any) -> None:
    start(world)
    publish_until_perceived(world, lambda status: all(status.used))
    status = publish_until_perceived(world, lambda status: not all(status.used), images={LEFT: None}, first=1)
    assert used(status) == {name: name != LEFT for name in status.cameras}
    named = f"camera {LEFT}"
    publish_until_perceived(
        world, lambda _: "/CAM_FRONT_LEFT/" in world.diagnostics().get(named, (0, ""))[1], images={LEFT: None}, first=2
    )
    assert world.diagnostics()[named][0] == 1
    publish_until_perceived(world, lambda status: all(status.used), first=500)


def test_a_camera_that_loses_single_images_is_named(world: Any) -> None:
    start(world)
    for number in range(60):
        world.publish_sweep(number, images={"CAM_BACK": None} if number % 3 == 1 else None)
        time.sleep(0.3)
        if "lack its image" in world.diagnostics().get("camera CAM_BACK", (0, ""))[1]:
            break
    assert world.diagnostics()["camera CAM_BACK"][0] == 1
    assert world.diagnostics()["camera CAM_FRONT"][0] == 0


def test_too_few_cameras_give_an_error_and_no_output(world: Any) -> None:
    start(world)
    publish_until_perceived(world, lambda status: all(status.used))
    seen = len(world.received[STATUS])
    silent = dict.fromkeys(["CAM_FRONT_LEFT", "CAM_BACK", "CAM_BACK_LEFT"])
    world.publish_sweep(1, images=silent)
    world.wait_for_trouble("sync", "CAM_BACK", "sync.min_cameras")
    assert len(world.received[STATUS]) == seen


def test_a_truncated_jpeg_masks_its_camera(world: Any, make: Any) -> None:
    start(world)
    cut = CompressedImage(format="jpeg", data=bytes(make.jpeg(LEFT, 0).data)[:400])
    status = publish_until_perceived(world, lambda status: not all(status.used), images={LEFT: cut})
    assert [name for name, here in used(status).items() if not here] == [LEFT]
    world.wait_for_trouble(f"camera {LEFT}", "truncated", LEFT)
    publish_until_perceived(world, lambda status: all(status.used), first=5)


def test_a_wrong_encoding_masks_every_camera_and_the_node_goes_on(make_world: Callable[..., Any], make: Any) -> None:
    world = make_world(input__image_transport="raw")
    world.listen(STATUS, FrameStatus)
    good = {name: make.raw(make.picture(name), "rgb8") for name in world_cameras()}
    world.activate(type(good[LEFT]))
    bad = {**good, LEFT: make.raw(make.picture(LEFT), "hsv24")}
    publish_until_perceived(world, lambda status: not used(status)[LEFT], images=bad)
    world.wait_for_trouble(f"camera {LEFT}", "hsv24")
    publish_until_perceived(world, lambda status: all(status.used), images=good, first=5)


def test_camera_info_without_calibration_names_the_topic(world: Any, make: Any) -> None:
    start(world)
    empty = make.info(LEFT, 0)
    empty.k = np.zeros(9)
    publish_until_perceived(world, lambda status: not used(status)[LEFT], infos={LEFT: empty})
    world.wait_for_trouble(f"calibration {LEFT}", "/CAM_FRONT_LEFT/camera_info", "K[0]")
    publish_until_perceived(world, lambda status: all(status.used), first=5)


def test_a_singular_rectification_matrix_counts_as_identity(world: Any, make: Any) -> None:
    start(world)
    info = make.info(LEFT, 0)
    info.r = np.array([1.0, 0, 0, 1, 0, 0, 1, 0, 0])
    status = publish_until_perceived(world, lambda status: all(status.used), infos={LEFT: info})
    assert used(status)[LEFT]


def test_nan_in_a_transform_is_refused_and_named(world: Any, make: Any) -> None:
    start(world)
    publish_until_perceived(world, lambda status: all(status.used))
    pose = np.eye(4)
    message = make.transform("map", "base_link", pose, 1)
    message.transform.translation.x = float("nan")
    world.tf.publish(TFMessage(transforms=[message]))
    world.wait_for_trouble("tf", "map", "base_link", "finite")
    status = publish_until_perceived(world, lambda status: all(status.used), first=1)
    assert status.motion_compensated


def test_without_a_fixed_frame_static_extrinsics_are_flagged(make_world: Callable[..., Any]) -> None:
    world = make_world(tf__fixed_frame="nowhere")
    start(world)
    status = publish_until_perceived(world, lambda status: all(status.used))
    assert not status.motion_compensated
    world.wait_for_trouble("tf", "static poses", "tf.fixed_frame")


def test_a_time_jump_forgets_the_past_within_one_frame(world: Any) -> None:
    start(world)
    publish_until_perceived(world, lambda status: all(status.used), first=100)
    before = world.node.session.latest
    status = publish_until_perceived(world, lambda status: all(status.used), first=0)
    assert stamp_ns(status.header) < before.result.stamp_ns
    assert world.node.session.latest.result.stamp_ns == stamp_ns(status.header)
    assert world.node.session.stream.synchroniser.sweeps.resets == 1
    world.wait_for_trouble("time", "jumped back")


def world_cameras() -> tuple[str, ...]:
    from distillnerf_core.simulation.rig import CAMERA_NAMES

    return CAMERA_NAMES
