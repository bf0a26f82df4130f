"""What the cameras of a simulated sweep see from elsewhere or at another time, in the ego frame of the sweep."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distillnerf_core.frames import OtherViews
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.simulation.optical_flow import surface_motion
from distillnerf_core.simulation.primitives import Primitives
from distillnerf_core.simulation.rig import nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene
from distillnerf_core.simulation.simulator import (
    SimulationConfig,
    exposure_ns,
    reference_stamp_ns,
    render_placed,
)

OtherName = Literal["next", "previous", "left", "right", "up"]
KEY_INTERVAL_NS = 500_000_000
"""Time between key-frames, as in nuScenes."""
OFFSETS_M = {"left": (-1.0, 0.0, 0.0), "right": (1.0, 0.0, 0.0), "up": (0.0, -1.0, 0.0)}
"""Places of the virtual views along the axes of each camera (DistillNeRF, appendix A.5)."""
_CLEARANCE_M = 0.2
"""Room that a camera needs around it."""


def simulate_others(
    scene: StreetScene, sweep_start_ns: int, name: OtherName, config: SimulationConfig | None = None
) -> OtherViews:
    """Renders the six cameras of a sweep half a second later or before, or 1 m aside with time standing still.

    Args:
        scene: the street.
        sweep_start_ns: time of the first exposure of the sweep after the start of the scene.
        name: which views.
        config: image size and quality.

    Returns:
        Pictures and exact distances; weights are 0 on what has moved or will move, where another time is shown, and
        in cameras that have been put into a solid, and 1 elsewhere.
    """
    config = config or SimulationConfig()
    shift_ns = {"next": KEY_INTERVAL_NS, "previous": -KEY_INTERVAL_NS}.get(name, 0)
    stamps = exposure_ns(sweep_start_ns + shift_ns)
    mounted = nuscenes_rig(config.height, config.width).to(scene.primitives.center_m.device)
    aside = torch.eye(4, dtype=torch.float64)
    aside[:3, 3] = torch.tensor(OFFSETS_M.get(name, (0.0, 0.0, 0.0)))
    in_world = torch.stack([scene.path.pose(stamp * 1e-9) for stamp in stamps]) @ mounted.camera_to_ego.double() @ aside
    images, distances, weights = [], [], []
    for camera, stamp in enumerate(stamps):
        placed = replace(mounted.select([camera]), camera_to_ego=in_world[camera : camera + 1].float())
        image, geometry = render_placed(scene, placed, stamp, config)
        motion = surface_motion(scene.primitives, geometry, stamp * 1e-9, (stamp - shift_ns) * 1e-9)
        blocked = _inside_solid(scene.primitives.at_time(stamp * 1e-9), placed.camera_to_ego[0, :3, 3])
        images.append(image)
        distances.append(geometry.distance_m)
        weights.append(((motion.norm(dim=-1) == 0) & ~blocked).float())
    to_ego = invert_rigid(scene.path.pose(reference_stamp_ns(sweep_start_ns) * 1e-9))
    rig = replace(mounted, camera_to_ego=(to_ego @ in_world).float())
    return OtherViews(name, rig, torch.stack(images), torch.stack(distances), torch.stack(weights))


def _inside_solid(primitives: Primitives, place_m: Float[Tensor, "3"]) -> Bool[Tensor, ""]:
    local = torch.einsum("nij,ni->nj", primitives.rotation, place_m - primitives.center_m)
    return (local.abs() <= primitives.half_size_m + _CLEARANCE_M).all(dim=1).any()
