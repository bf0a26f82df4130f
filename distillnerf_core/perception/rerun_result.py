"""A perceived frame in the Rerun viewer."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from distillnerf_core.perception.depth_points import image_bytes
from distillnerf_core.perception.pictures.colors import blend_heat, color_scores
from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.rerun_scene import RerunScene, heat_name
from distillnerf_core.perception.results import PerceptionResult
from distillnerf_core.perception.surfaces import voxel_labels


def log_result(scene: RerunScene, result: PerceptionResult, world_from_base: Float[ndarray, "4 4"] | None) -> None:
    """Logs images, depth, classes and occupancy of a frame at its stamp.

    Args:
        scene: Where to.
        result: The frame.
        world_from_base: Pose of the vehicle in a frame that does not move; None: it stays where it is.
    """
    scene.set_time(result.stamp_ns)
    scene.set_classes(result.classes.labels)
    if world_from_base is not None:
        scene.log_pose(world_from_base)
    for camera in np.flatnonzero(result.frame.camera_mask.cpu().numpy()).tolist():
        _log_camera(scene, result, camera)
    occupancy = result.occupancy
    if occupancy is not None:
        centers = occupancy.occupied.centers_m(occupancy.grid).cpu().numpy()
        colors = occupancy.classes.palette()[voxel_labels(occupancy).cpu().numpy()]
        scene.log_voxels(centers, colors, occupancy.grid.voxel_size_m)
    for stage, duration_ms in dict(result.timings.stages_ms).items():
        scene.log_number(f"{stage}_ms", duration_ms)


def log_answer(
    scene: RerunScene,
    result: PerceptionResult,
    answer: QueryResult,
    heat: Float[Tensor, "texts cameras h w"] | None = None,
) -> None:
    """Logs the voxels that answer each text, and the heat of each text over the camera images.

    Args:
        scene: Where to; its time is the frame's.
        result: The frame.
        answer: Scores of its occupied voxels.
        heat: Scores of the pixels; None: no heat images.
    """
    edge_m = result.occupancy.grid.voxel_size_m if result.occupancy is not None else 0.4
    centers = answer.centers_m.cpu().numpy()
    for row, text in enumerate(answer.texts):
        scores = answer.scores[row].cpu().numpy()
        found = scores >= answer.threshold
        scene.log_answer(text, centers[found], color_scores(scores[found]), edge_m)
        if heat is not None:
            _log_heat(scene, result, text, heat[row])


def _log_camera(scene: RerunScene, result: PerceptionResult, camera: int) -> None:
    rig = result.frame.rig
    name = rig.names[camera]
    scene.log_camera(name, rig.camera_to_ego[camera].double().cpu().numpy())
    image = image_bytes(result, rig.height, rig.width)[camera]
    scene.log_image(name, image, rig.intrinsics[camera].double().cpu().numpy())
    if result.depth is not None:
        intrinsics = result.depth.rig.intrinsics[camera].double().cpu().numpy()
        scene.log_depth(name, result.depth.z_depth_m[camera].cpu().numpy(), intrinsics)
        if result.semantics is not None:
            scene.log_labels(name, result.semantics[camera].cpu().numpy(), intrinsics)


def _log_heat(scene: RerunScene, result: PerceptionResult, text: str, heat: Float[Tensor, "cameras h w"]) -> None:
    rig = result.frame.rig
    images = image_bytes(result, rig.height, rig.width)
    for camera in np.flatnonzero(result.frame.camera_mask.cpu().numpy()).tolist():
        painted = blend_heat(images[camera], heat[camera].cpu().numpy())
        scene.log_colors(rig.names[camera], heat_name(text), painted, rig.intrinsics[camera].double().cpu().numpy())
