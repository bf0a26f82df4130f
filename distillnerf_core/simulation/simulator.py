"""Sweeps of a simulated vehicle: images at their own exposure times, with exact ground truth."""

from dataclasses import replace

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

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

    height: int = pydantic.Field(default=96, ge=8)
    width: int = pydantic.Field(default=176, ge=8)
    shadows: bool = True
    supersampling: int = pydantic.Field(default=2, ge=1, le=8)


def exposure_ns(sweep_start_ns: int) -> tuple[int, ...]:
    """Returns the exposure time of each camera of a sweep."""
    return tuple(sweep_start_ns + round(phase * 1e6) for phase in PHASES_MS)


def reference_stamp_ns(sweep_start_ns: int) -> int:
    """Returns the exposure time of the reference camera, which is the time of the frame."""
    return exposure_ns(sweep_start_ns)[REFERENCE_CAMERA]


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
    stamps, reference_ns = exposure_ns(sweep_start_ns), reference_stamp_ns(sweep_start_ns)
    device = scene.primitives.center_m.device
    views = render_cameras(scene, stamps, config)
    ego_to_world = scene.path.pose(reference_ns * 1e-9)
    rig = motion_compensated_rig(scene, stamps, reference_ns, config).to(device)
    distance = torch.stack([geometry.distance_m for _, geometry in views])
    frame = MultiViewFrame(
        stamp_ns=reference_ns,
        rig=rig,
        images=torch.stack([image for image, _ in views]),
        camera_mask=torch.ones(len(stamps), dtype=torch.bool, device=device),
        camera_stamps_ns=stamps,
    )
    return SupervisedFrame(
        frame=frame,
        ray_distance_m=distance,
        labels=torch.stack([geometry.labels for _, geometry in views]),
        occupancy=voxelise(scene.primitives.at_time(reference_ns * 1e-9), ego_to_world, grid),
        visible=visible_voxels(rig, distance, grid),
        grid=grid,
        instances=torch.stack([geometry.instances for _, geometry in views]),
    )


def render_cameras(
    scene: StreetScene, stamps_ns: tuple[int, ...], config: SimulationConfig
) -> list[tuple[Float[Tensor, "3 height width"], Geometry]]:
    """Renders the six cameras, each at its own time; returns images and exact geometry."""
    return [render_camera(scene, camera, stamp, config) for camera, stamp in enumerate(stamps_ns)]


def render_camera(
    scene: StreetScene, camera: int, stamp_ns: int, config: SimulationConfig
) -> tuple[Float[Tensor, "3 height width"], Geometry]:
    """Renders one camera of the rig, from where the vehicle is at that time; returns RGB and exact geometry."""
    mounted = nuscenes_rig(config.height, config.width).select([camera])
    pose = (scene.path.pose(stamp_ns * 1e-9) @ mounted.camera_to_ego.double()).float()
    return render_placed(scene, replace(mounted, camera_to_ego=pose), stamp_ns, config)


def render_placed(
    scene: StreetScene, placed: CameraRig, stamp_ns: int, config: SimulationConfig
) -> tuple[Float[Tensor, "3 height width"], Geometry]:
    """Renders a rig of one camera that stands anywhere, its `camera_to_ego` being its pose in the world.

    Args:
        scene: the street.
        placed: the camera; its image size counts, not that of the configuration.
        stamp_ns: time of the exposure after the start of the scene.
        config: quality.

    Returns:
        RGB in [0, 1], and the exact geometry of the rays through the pixel centres.
    """
    seconds, factor = stamp_ns * 1e-9, config.supersampling
    placed = placed.to(scene.primitives.center_m.device)
    origin = placed.camera_to_ego[0, :3, 3]
    fine = camera_rays(placed.resized(placed.height * factor, placed.width * factor))
    image, geometry = render_view(scene, seconds, origin, fine.directions[0], config.shadows)
    if factor > 1:
        image = torch.nn.functional.avg_pool2d(image[None], factor)[0]
        geometry = cast_geometry(scene, seconds, origin, camera_rays(placed).directions[0])
    return image, geometry


def motion_compensated_rig(
    scene: StreetScene, stamps_ns: tuple[int, ...], reference_ns: int, config: SimulationConfig
) -> CameraRig:
    """Returns the cameras in the ego frame at the reference time, from where they were at their exposures."""
    mounted = nuscenes_rig(config.height, config.width)
    poses = torch.stack([scene.path.pose(stamp * 1e-9) for stamp in stamps_ns])
    moved = invert_rigid(scene.path.pose(reference_ns * 1e-9)) @ poses @ mounted.camera_to_ego.double()
    return replace(mounted, camera_to_ego=moved.float())
