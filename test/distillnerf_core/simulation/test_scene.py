"""Streets are reproducible, different, and leave room for the vehicle."""

import math

import torch

from distillnerf_core.language.classes import CLASS_NAMES
from distillnerf_core.simulation.primitives import bounding_half_size
from distillnerf_core.simulation.rig import nuscenes_rig
from distillnerf_core.simulation.scene import sample_scene


def test_the_same_seed_gives_the_same_street() -> None:
    first, second = sample_scene(11), sample_scene(11)
    assert first.layout == second.layout and first.light == second.light and first.path == second.path
    for name in first.primitives.__dataclass_fields__:
        assert torch.equal(getattr(first.primitives, name), getattr(second.primitives, name))


def test_other_seeds_give_other_streets() -> None:
    sizes = {len(sample_scene(seed).primitives) for seed in range(6)}
    assert len(sizes) > 4


def test_streets_show_all_classes() -> None:
    seen = {int(label) for seed in range(20) for label in sample_scene(seed).primitives.label.tolist()}
    road_and_others = {CLASS_NAMES.index("driveable_surface"), CLASS_NAMES.index("others")}
    assert seen == set(range(17)) - road_and_others


def test_rotations_are_rotations_and_sizes_positive() -> None:
    primitives = sample_scene(3).primitives
    identity = primitives.rotation @ primitives.rotation.transpose(1, 2)
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)
    assert (primitives.half_size_m > 0).all() and (primitives.taper >= 0).all()


def test_nothing_touches_the_vehicle() -> None:
    length = torch.linspace(-0.8, 3.7, 8, dtype=torch.float64)
    width = torch.linspace(-0.8, 0.8, 3, dtype=torch.float64)
    body = torch.cartesian_prod(length, width, torch.tensor([0.4, 1.5], dtype=torch.float64))
    body = torch.cat((body, nuscenes_rig().camera_to_ego[:, :3, 3].double()))
    for seed in range(12):
        scene = sample_scene(seed)
        for seconds in (0.0, 1.5, 4.0):
            pose = scene.path.pose(seconds)
            points = (body @ pose[:3, :3].T + pose[:3, 3]).float()
            solids = scene.primitives.at_time(seconds)
            local = torch.einsum("nij,pni->pnj", solids.rotation, points[:, None] - solids.center_m)
            assert not (local.abs() <= bounding_half_size(solids)).all(dim=2).any(), (seed, seconds)


def test_objects_and_vehicle_move_with_time() -> None:
    scene = sample_scene(0)
    moved = scene.primitives.at_time(2.0).center_m - scene.primitives.center_m
    torch.testing.assert_close(moved, 2.0 * scene.primitives.velocity_m_s)
    assert (scene.primitives.velocity_m_s.norm(dim=1) > 0.5).any()
    advance = scene.path.pose(2.0)[0, 3] - scene.path.pose(0.0)[0, 3]
    assert math.isclose(float(advance), 2.0 * scene.path.speed_m_s)


def test_the_heading_follows_the_path() -> None:
    path = next(scene.path for seed in range(20) if abs((scene := sample_scene(seed)).path.sway_m) > 0.1)
    step = 1e-4
    for seconds in (0.0, 0.7, 3.1):
        ahead, here = path.pose(seconds + step), path.pose(seconds)
        heading = torch.atan2(ahead[1, 3] - here[1, 3], ahead[0, 3] - here[0, 3])
        assert abs(float(heading - torch.atan2(here[1, 0], here[0, 0]))) < 1e-3
        turned = torch.atan2(ahead[1, 0], ahead[0, 0]) - torch.atan2(here[1, 0], here[0, 0])
        assert abs(float(turned) / step - path.yaw_rate(seconds)) < 1e-3
