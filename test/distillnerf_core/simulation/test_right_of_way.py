"""Who comes later keeps out of the way of who came first."""

import dataclasses
import math

import pytest

from distillnerf_core.simulation.builder import Pose
from distillnerf_core.simulation.course import turn
from distillnerf_core.simulation.ego_path import EgoPath
from distillnerf_core.simulation.right_of_way import RightOfWay, has_room

EAST = EgoPath(y=0.0, speed_m_s=5.0, sway_m=0.0, phase=0.0)
NORTH = math.pi / 2


@pytest.fixture
def room() -> RightOfWay:
    room = RightOfWay(10.0)
    room.reserve_path(EAST, 1.0)
    return room


@pytest.mark.parametrize(
    ("start", "free"),
    # The vehicle, margin included, reaches the walker's edge after (39.8 - 4.9) / 5 = 6.98 s and leaves it after
    # (40.2 + 2) / 5 = 8.44 s; the walker is in its way from 1.4 m before its axis to 1.4 m behind it.
    [(-5.4, True), (-5.8, False), (-9.6, False), (-10.1, True)],
)
def test_those_who_cross_pass_before_or_behind(room: RightOfWay, start: float, free: bool) -> None:
    assert room.is_free(Pose(40.0, start, 0.0, NORTH, 1.0), 0.4, 0.4) is free


def test_those_beside_and_behind_are_free(room: RightOfWay) -> None:
    assert room.is_free(Pose(5.0, 3.5, 0.0, 0.0, 5.0), 5.0, 2.3)
    assert room.is_free(Pose(-9.0, 0.0, 0.0, 0.0, 5.0), 5.0, 2.3)
    assert not room.is_free(Pose(-9.0, 0.0, 0.0, 0.0, 6.0), 5.0, 2.3)
    assert room.is_free(Pose(80.0, 0.0), 5.0, 2.3) and not room.is_free(Pose(40.0, 0.0), 5.0, 2.3)


def test_later_ones_give_way_to_earlier_ones(room: RightOfWay) -> None:
    truck = Pose(100.0, -30.0, 0.0, NORTH, 10.0)
    assert room.is_free(truck, 9.0, 2.4)
    room.reserve(truck, 9.0, 2.4)
    assert not room.is_free(Pose(85.0, 0.0, 0.0, 0.0, 5.0), 5.0, 2.3)
    assert room.is_free(Pose(105.0, 0.0, 0.0, 0.0, 5.0), 5.0, 2.3)


def test_a_turning_vehicle_needs_the_street_that_it_turns_into() -> None:
    room = RightOfWay(10.0)
    room.reserve_path(dataclasses.replace(EAST, course=turn(10.0, 8.0, NORTH)), 1.0)
    into = turn(10.0, 8.0, NORTH).place(50.0).x
    assert not room.is_free(Pose(into, 20.0), 5.0, 2.3)
    assert room.is_free(Pose(into + 3.5, 20.0, 0.0, NORTH), 5.0, 2.3)
    assert room.is_free(Pose(40.0, 0.0), 5.0, 2.3)


def test_without_anybody_there_is_room() -> None:
    assert has_room(None, Pose(0.0, 0.0), 5.0, 2.0) and has_room(RightOfWay(3.0), Pose(0.0, 0.0), 5.0, 2.0)
