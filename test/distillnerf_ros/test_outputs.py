"""Images in; depth, semantics, occupancy and status out."""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from distillnerf_ros.msg import FrameStatus, SemanticVoxelGrid
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from distillnerf_core.simulation.rig import CAMERA_NAMES
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_ros.conversions.clouds import OCCUPANCY_POINT
from distillnerf_ros.conversions.images import LABEL_COLORS

FRONT = "/distillnerf/CAM_FRONT"


def test_a_sweep_gives_every_output_with_frames_and_stamps(make_world: Callable[..., Any]) -> None:
    world = make_world(occupancy__markers__enable=True)
    kinds = {
        f"{FRONT}/depth/image": Image,
        f"{FRONT}/depth/camera_info": CameraInfo,
        f"{FRONT}/semantics/image": Image,
        f"{FRONT}/rgb/image": Image,
        f"{FRONT}/features/image": Image,
        "/distillnerf/occupancy/points": PointCloud2,
        "/distillnerf/occupancy/grid": SemanticVoxelGrid,
        "/distillnerf/occupancy/markers": MarkerArray,
        "/distillnerf/status": FrameStatus,
    }
    for topic, kind in kinds.items():
        world.listen(topic, kind)
    world.activate()
    world.wait_for("publishers", lambda: all(world.client.count_publishers(topic) for topic in kinds))
    reference_ns = world.publish_sweep(0)
    outputs = {topic: world.wait_for_message(topic) for topic in kinds}

    depth, info = outputs[f"{FRONT}/depth/image"], outputs[f"{FRONT}/depth/camera_info"]
    assert (depth.encoding, depth.header.frame_id) == ("32FC1", "CAM_FRONT")
    assert stamp_ns(depth.header) == stamp_ns(info.header) == reference_ns
    assert (info.height, info.width) == (depth.height, depth.width)
    values = np.frombuffer(depth.data, np.float32)
    assert (values > 0).all()

    colors = np.frombuffer(outputs[f"{FRONT}/semantics/image"].data, np.uint8).reshape(-1, 3)
    palette = {tuple(color) for color in LABEL_COLORS.tolist()}
    assert {tuple(color) for color in colors.tolist()} <= palette
    for kind in ("rgb", "features"):
        image = outputs[f"{FRONT}/{kind}/image"]
        assert (image.encoding, image.header.frame_id, stamp_ns(image.header)) == ("rgb8", "CAM_FRONT", reference_ns)

    grid, cloud = outputs["/distillnerf/occupancy/grid"], outputs["/distillnerf/occupancy/points"]
    assert grid.header.frame_id == cloud.header.frame_id == "base_link"
    assert stamp_ns(grid.header) == stamp_ns(cloud.header) == reference_ns
    labels = np.frombuffer(grid.label, np.uint8).reshape(grid.size)
    points = np.frombuffer(cloud.data, OCCUPANCY_POINT)
    corner = np.array([grid.origin.position.x, grid.origin.position.y, grid.origin.position.z])
    centers = np.stack([points[axis] for axis in "xyz"], axis=1)
    index = np.floor((centers - corner) / grid.resolution).astype(int)
    assert (labels[tuple(index.T)] == points["label"]).all()
    assert len(points) == (labels < 17).sum()

    markers = outputs["/distillnerf/occupancy/markers"].markers
    assert markers[0].action == Marker.DELETEALL
    assert all(item.type == Marker.CUBE_LIST for item in markers[1:])

    status = outputs["/distillnerf/status"]
    assert list(status.cameras) == list(world.node.session.stream.layout.names)
    assert all(status.used)
    assert status.motion_compensated
    assert {"decode", "encode", "publish"} <= set(status.stages)
    assert status.occupied_voxels == len(points)


def test_the_status_has_the_figures_of_its_own_sweep(make_world: Callable[..., Any]) -> None:
    """The camera that is missing has no stamp error, and an image of the next sweep does not move the arrival."""
    world = make_world(sync__grace_s=0.6)
    world.listen("/distillnerf/status", FrameStatus)
    world.activate()
    world.publish_sweep(0, {"CAM_BACK": None})
    time.sleep(0.3)
    world.publish_sweep(1, {name: None for name in CAMERA_NAMES if name != "CAM_BACK"})
    status = world.wait_for_message("/distillnerf/status")
    errors = dict(zip(status.cameras, status.stamp_error_ms, strict=True))
    assert np.isnan(errors.pop("CAM_BACK"))
    assert np.abs(list(errors.values())).max() < 1.0
    assert status.stage_ms[list(status.stages).index("wait")] > 450.0


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "jpeg"])
def test_red_stays_red(make_world: Callable[..., Any], make: Any, encoding: str) -> None:
    red = np.zeros((48, 88, 3), np.uint8)
    red[..., 2 if encoding in ("bgr8", "jpeg") else 0] = 255
    if encoding == "jpeg":
        image = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", red)[1].tobytes())
    else:
        image = make.raw(red, encoding)
    world = make_world(input__image_transport="compressed" if encoding == "jpeg" else "raw")
    world.activate(type(image))
    world.publish_sweep(0, dict.fromkeys(CAMERA_NAMES, image))
    frame = world.wait_for("a frame", lambda: world.node.session.latest).assembled.frame
    means = frame.visible().images.mean(dim=(0, 2, 3)).tolist()
    assert means[0] > 0.95
    assert max(means[1:]) < 0.05


def test_the_layout_is_recognised_from_topics(make_world: Callable[..., Any]) -> None:
    world = make_world(input__preset="auto")
    world.activate()
    assert world.node.session.stream.layout.name == "nuscenes_upper"
