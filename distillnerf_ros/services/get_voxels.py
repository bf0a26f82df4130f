"""`GetVoxels`: the semantic voxels of a box."""

from distillnerf_core.perception.boxes import box_or_everything
from distillnerf_core.perception.crop import crop
from distillnerf_ros.conversions.voxels import semantic_grid
from distillnerf_ros.services.requests import corner
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import GetVoxels


def answer_get_voxels(scene: Scene, request: GetVoxels.Request, response: GetVoxels.Response) -> None:
    """Cuts the voxels out whose centres lie in the box's bounds along the axes of the base frame."""
    box = box_or_everything(corner(request.box_min), corner(request.box_max), scene.base_from(request.frame_id))
    block = crop(scene.occupancy, box)
    response.grid = semantic_grid(
        block.labels.cpu().numpy(),
        block.confidence.cpu().numpy(),
        block.grid.lower_m,
        block.grid.voxel_size_m,
        scene.header,
        scene.occupancy.classes,
    )
