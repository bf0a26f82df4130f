"""The LiDAR measures the street as it is at the time of each point."""

import math

import pytest
import torch
from simulated_street import nearest_surface, street_of_boxes

from distillnerf_core.simulation.builder import Look, Pose, StreetBuilder
from distillnerf_core.simulation.lidar import LidarConfig, simulate_lidar
from distillnerf_core.simulation.lidar_sweep import sweep_lidar
from distillnerf_core.simulation.rig import nuscenes_lidar_to_ego
from distillnerf_core.simulation.scene import sample_scene

GREY = Look((0.5, 0.5, 0.5))
FEW = LidarConfig(azimuth_steps=360)
SECOND = 1_000_000_000


def test_a_standing_lidar_in_a_standing_street_sees_the_same_at_all_times() -> None:
    street = StreetBuilder()
    street.object("car", Pose(10.0, 1.0, yaw=0.4)).box((0, 0, 0.8), (4, 2, 1.6), GREY)
    street.object("manmade", Pose(-9.0, -6.0)).frustum((0, 0, 3.0), 0.5, 6.0, GREY)
    scene = street_of_boxes(street)
    sweep, scan = sweep_lidar(scene, SECOND, SECOND // 20, FEW), simulate_lidar(scene, SECOND, FEW)
    mount = nuscenes_lidar_to_ego().double()
    local = (sweep.points_m - mount[:3, 3]) @ mount[:3, :3]
    key = sweep.rings * 1000 + (torch.atan2(local[:, 0], local[:, 1]) / (2 * math.pi) * 360).round().long() % 360
    same = (
        scan.rings * 1000 + (torch.atan2(scan.points_m[:, 0], scan.points_m[:, 1]) * 180 / math.pi).round().long() % 360
    )
    first, second = key.argsort(), same.argsort()
    assert torch.equal(key[first], same[second])
    torch.testing.assert_close(local[first].float(), scan.points_m[second], atol=1e-3, rtol=1e-4)
    assert torch.equal(sweep.labels[first], scan.labels[second].long())


@pytest.mark.parametrize(("ego", "car"), [(0.0, 10.0), (12.0, 0.0), (12.0, -8.0)])
def test_a_moving_wall_is_where_it_is_at_the_time_of_each_point(ego: float, car: float) -> None:
    street = StreetBuilder()
    street.object("truck", Pose(14.0 + ego - car, 0.0, speed_m_s=car)).box((0, 0, 2.0), (2.0, 30.0, 4.0), GREY)
    sweep = sweep_lidar(street_of_boxes(street, ego), SECOND, SECOND // 10, LidarConfig(azimuth_steps=720))
    seconds = sweep.stamps_ns.double() * 1e-9
    torch.testing.assert_close(sweep.origins_m[:, 0], 0.944 + ego * seconds, atol=1e-6, rtol=0)
    back = (sweep.instances == 1) & (sweep.points_m[:, 2] < 3.9) & (sweep.points_m[:, 1].abs() < 14.9)
    assert back.sum() > 500 and seconds[back].max() - seconds[back].min() > 0.08
    torch.testing.assert_close(sweep.points_m[back, 0], 13.0 + ego - car + car * seconds[back], atol=1e-3, rtol=0)


def test_stamps_ascend_over_the_revolution_clockwise() -> None:
    sweep = sweep_lidar(sample_scene(1), 2 * SECOND, SECOND // 20, FEW)
    assert (sweep.stamps_ns.diff() >= 0).all() and sweep.stamps_ns[-1] == 2 * SECOND
    assert 0 <= sweep.stamps_ns[0] - (2 * SECOND - SECOND // 20) < SECOND // 20 // 360 + 2
    quarter = sweep.stamps_ns < 2 * SECOND - SECOND // 20 * 3 // 4
    right = sweep.points_m[quarter, 1] - sweep.origins_m[quarter, 1]
    assert (right < 0.5).all()


def test_points_lie_on_the_surfaces_of_a_street_at_their_own_times() -> None:
    scene = sample_scene(7)
    sweep = sweep_lidar(scene, SECOND, SECOND // 20, FEW)
    moving = scene.primitives.instance[scene.primitives.velocity_m_s.norm(dim=1) > 1.0].unique()
    on_moving = torch.isin(sweep.instances, moving).nonzero()[:, 0]
    assert len(on_moving) > 30
    for index in [*range(0, len(sweep.rings), 500), *on_moving[::10].tolist()]:
        line = sweep.points_m[index] - sweep.origins_m[index]
        seconds, ray = float(sweep.stamps_ns[index]) * 1e-9, (line / line.norm()).float()[None]
        distance, label, instance = nearest_surface(scene, seconds, sweep.origins_m[index].float(), ray)
        assert abs(float(distance[0]) - float(line.norm())) < 5e-3
        assert (int(label[0]), int(instance[0])) == (int(sweep.labels[index]), int(sweep.instances[index]))
