"""/render_view: a camera that is not there."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distillnerf_ros.srv import QueryText, RenderView
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from distillnerf_core.geometry.transforms import quaternion_from_matrix
from distillnerf_core.streams.message_fields import stamp_ns

Response = QueryText.Response
FORWARD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
DEPTH = "/distillnerf/CAM_BACK/depth/image"


def pose(frame_id: str = "", rotation: np.ndarray | None = None, **position: float) -> PoseStamped:
    x, y, z, w = (float(value) for value in quaternion_from_matrix(np.eye(3) if rotation is None else rotation))
    orientation = Quaternion(x=x, y=y, z=z, w=w)
    return PoseStamped(header=Header(frame_id=frame_id), pose=Pose(position=Point(**position), orientation=orientation))


def camera(width: int, height: int, focal: float, frame_id: str = "view") -> CameraInfo:
    info = CameraInfo(header=Header(frame_id=frame_id), width=width, height=height)
    info.k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return info


def test_the_pose_of_a_camera_shows_what_that_camera_s_depth_image_shows(street: Any, ask: Callable[..., Any]) -> None:
    perceived = street.node.session.latest
    result = street.node._pipeline.complete(perceived.result)
    index = result.frame.rig.names.index("CAM_FRONT")
    rig = result.depth.rig
    info = CameraInfo(width=rig.width, height=rig.height)
    info.k = rig.intrinsics[index].double().numpy().reshape(9)
    # The frame holds the camera at its own stamp; here it is asked for at the reference time, which is the same.
    answer = ask(street, RenderView, "render_view", pose=pose("CAM_FRONT"), camera_info=info, semantics=True)
    assert (answer.success, answer.message) == (True, "")
    depth = np.frombuffer(answer.depth.data, np.float32).reshape(rig.height, rig.width)
    expected = result.depth.z_depth_m[index].numpy()
    close = np.isclose(depth, expected, rtol=0.02, atol=0.02)
    assert close.mean() > 0.95
    assert (answer.rgb.encoding, answer.rgb.height, answer.rgb.width) == ("rgb8", rig.height, rig.width)
    assert answer.semantics.encoding == "rgb8"
    assert stamp_ns(answer.depth.header) == result.stamp_ns


def test_a_camera_of_its_own_needs_no_calibration(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(street, RenderView, "render_view", pose=pose(rotation=FORWARD, x=2.0, y=4.0, z=1.5), rgb=False)
    assert answer.success, answer.message
    assert (answer.depth.height, answer.depth.width, len(answer.rgb.data)) == (24, 44, 0)
    assert (answer.camera_info.height, answer.camera_info.width) == (24, 44)
    assert answer.camera_info.k[0] > 0


def test_any_frame_and_any_size(street: Any, ask: Callable[..., Any]) -> None:
    answer = ask(
        street, RenderView, "render_view", pose=pose("map", FORWARD, x=5.0, z=1.5), camera_info=camera(37, 23, 20.0)
    )
    assert answer.success, answer.message
    assert (answer.depth.height, answer.depth.width) == (answer.rgb.height, answer.rgb.width) == (23, 37)
    assert answer.depth.header.frame_id == "view"
    depth = np.frombuffer(answer.depth.data, np.float32)
    assert not np.isnan(depth).any()
    assert (depth > 0).all()


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"camera_info": camera(10**9, 10**9, 5e8)}, Response.BAD_REQUEST, "render.max_pixels"),
        ({"camera_info": camera(2**32 - 1, 1, 5e8)}, Response.BAD_REQUEST, "render.max_pixels"),
        ({"camera_info": CameraInfo(width=8)}, Response.BAD_REQUEST, "8 x 0 pixels"),
        ({"camera_info": CameraInfo(width=8, height=8)}, Response.BAD_REQUEST, "K[0] is 0"),
        ({"camera_info": camera(8, 8, math.nan)}, Response.BAD_REQUEST, "K[0] is nan"),
        ({"pose": pose(x=math.nan)}, Response.BAD_REQUEST, "finite"),
        ({"pose": pose(x=1e30)}, Response.BAD_REQUEST, "within 10000 m"),
        ({"pose": PoseStamped(pose=Pose(orientation=Quaternion(w=0.0)))}, Response.BAD_REQUEST, "length 1, got 0"),
        ({"pose": pose("moon")}, Response.TF_ERROR, "moon"),
    ],
)
def test_senseless_cameras_are_refused(
    street: Any, ask: Callable[..., Any], fields: Any, status: int, word: str
) -> None:
    answer = ask(street, RenderView, "render_view", **fields)
    assert (answer.success, answer.status) == (False, status)
    assert word in answer.message
