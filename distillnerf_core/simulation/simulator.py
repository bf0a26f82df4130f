"""Sweeps of a simulated vehicle: images at their own exposure times, with exact ground truth."""

import torch

from distillnerf_core.configuration import Config
from distillnerf_core.frames import MultiViewFrame, SupervisedFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import OCC3D_GRID, VoxelGrid
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.simulation.occupancy import voxelise
from distillnerf_core.simulation.renderer import Geometry, cast_geometry, render_view
from distillnerf_core.simulation.rig import PHASES_MS, REFERENCE_CAMERA, nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.visibility import visible_voxels


class SimulationConfig(Config):
    """How simulated sweeps are rendered.

    Attributes:
        height: Image height in pixels.
        width: Image width in pixels.
        shadows: Whether solids cast shadows.
        supersampling: Rays along each side of a pixel for the colours; labels and distances use the central ray.
    """

    height: int = 96
    width: int = 176
    shadows: bool = True
    supersampling: int = 2


def exposure_ns(sweep_start_ns: int) -> tuple[int, ...]:
    """Returns the exposure time of each camera of a sweep."""
    return tuple(sweep_start_ns + round(phase * 1e6) for phase in PHASES_MS)


def simulate_sweep(
    scene: StreetScene,
    sweep_start_ns: int,
    config: SimulationConfig | None = None,
    grid: VoxelGrid = OCC3D_GRID,
) -> SupervisedFrame:
    """Renders one sweep of the six cameras and its ground truth.

    Args:
        scene: the street.
        sweep_start_ns: time of the first exposure after the start of the scene.
        config: image size and quality.
        grid: voxels of the occupancy, in the ego frame at the exposure of the reference camera.

    Returns:
        Images and ground truth; the extrinsics hold the motion between the exposures.
    """
    config = config or SimulationConfig()
    device = scene.primitives.center_m.device
    stamps = exposure_ns(sweep_start_ns)
    mounted = nuscenes_rig(config.height, config.width)
    in_world = rig_in_world(scene, mounted, stamps).to(device)
    views = [_render_camera(scene, in_world.select([camera]), stamps[camera], config) for camera in range(len(stamps))]
    reference_ns = stamps[REFERENCE_CAMERA]
    ego_to_world = scene.path.pose(reference_ns * 1e-9)
    world_to_ego = invert_rigid(ego_to_world)
    camera_to_ego = (world_to_ego @ in_world.camera_to_ego.cpu().double()).float()
    rig = CameraRig(mounted.names, mounted.intrinsics, camera_to_ego, config.height, config.width).to(device)
    distance = torch.stack([geometry.distance_m for _, geometry in views])
    frame = MultiViewFrame(
        stamp_ns=reference_ns,
        rig=rig,
        images=torch.stack([image for image, _ in views]),
        camera_mask=torch.ones(len(stamps), dtype=torch.bool, device=device),
        camera_stamps_ns=stamps,
    )
    solids = scene.primitives.at_time(reference_ns * 1e-9)
    return SupervisedFrame(
        frame=frame,
        ray_distance_m=distance,
        labels=torch.stack([geometry.labels for _, geometry in views]),
        occupancy=voxelise(solids, ego_to_world, grid),
        visible=visible_voxels(rig, distance, grid),
        grid=grid,
        instances=torch.stack([geometry.instances for _, geometry in views]),
    )


def rig_in_world(scene: StreetScene, mounted: CameraRig, stamps_ns: tuple[int, ...]) -> CameraRig:
    """Returns the cameras with their poses in the world at their exposures, in place of poses in the ego frame."""
    poses = torch.stack([scene.path.pose(stamp * 1e-9) for stamp in stamps_ns])
    in_world = (poses @ mounted.camera_to_ego.double()).float()
    return CameraRig(mounted.names, mounted.intrinsics, in_world, mounted.height, mounted.width)


def _render_camera(
    scene: StreetScene, camera: CameraRig, stamp_ns: int, config: SimulationConfig
) -> tuple[torch.Tensor, Geometry]:
    origin, seconds, factor = camera.camera_to_ego[0, :3, 3], stamp_ns * 1e-9, config.supersampling
    fine = camera_rays(camera.resized(camera.height * factor, camera.width * factor))
    image, geometry = render_view(scene, seconds, origin, fine.directions[0], config.shadows)
    if factor > 1:
        image = torch.nn.functional.avg_pool2d(image[None], factor)[0]
        geometry = cast_geometry(scene, seconds, origin, camera_rays(camera).directions[0])
    return image, geometry
