"""`RenderView`: the newest frame as a camera would see it that is not there."""

import numpy as np

from distillnerf_core.perception.novel_view import NovelView
from distillnerf_core.perception.results import Output
from distillnerf_core.perception.virtual_camera import VirtualCamera
from distillnerf_ros.conversions.fields import header
from distillnerf_ros.conversions.images import camera_info, color_image, depth_image, label_image
from distillnerf_ros.conversions.poses import pose_matrix
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import RenderView


def answer_render_view(scene: Scene, request: RenderView.Request, response: RenderView.Response) -> None:
    """Renders colour, depth and classes; the images are stamped as the frame and in the camera_info's frame."""
    scene = scene.at(request.pose.header.stamp)
    camera = _camera(scene, request)
    wanted = {Output.RGB: request.rgb, Output.DEPTH: request.depth, Output.SEMANTICS: request.semantics}
    outputs = frozenset(output for output, asked in wanted.items() if asked)
    _fill(response, scene.pipeline.render_view(scene.result, camera, outputs), scene, request)
    stamped = header(scene.result.stamp_ns, request.camera_info.header.frame_id)
    response.camera_info = camera_info(camera.intrinsics, camera.height, camera.width, stamped)


def _camera(scene: Scene, request: RenderView.Request) -> VirtualCamera:
    pose = pose_matrix(request.pose.pose)
    base_from_frame = scene.base_from(request.pose.header.frame_id)
    if base_from_frame is not None:
        pose = base_from_frame @ pose
    info = request.camera_info
    if info.width:
        return VirtualCamera(np.array(info.k, dtype=np.float64).reshape(3, 3), pose, info.height, info.width)
    scale = scene.config.depth.scale
    height, width = (max(1, round(scale * size)) for size in scene.pipeline.input_size)
    rig = scene.result.frame.rig.resized(height, width)
    return VirtualCamera(rig.intrinsics[0].double().cpu().numpy(), pose, height, width)


def _fill(response: RenderView.Response, view: NovelView, scene: Scene, request: RenderView.Request) -> None:
    stamped = header(scene.result.stamp_ns, request.camera_info.header.frame_id)
    if view.rgb is not None:
        rgb = (view.rgb.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        response.rgb = color_image(rgb.cpu().numpy(), stamped)
    if view.z_depth_m is not None:
        response.depth = depth_image(view.z_depth_m.cpu().numpy(), stamped)
    if view.labels is not None:
        response.semantics = label_image(view.labels.cpu().numpy(), stamped, scene.result.classes.labels)
