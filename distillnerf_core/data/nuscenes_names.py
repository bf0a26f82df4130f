"""The words of the nuScenes schema: categories, attributes and levels of visibility."""

from distillnerf_core.data.drive import BoxTrack

CATEGORIES = (
    "animal",
    "human.pedestrian.adult",
    "human.pedestrian.child",
    "human.pedestrian.construction_worker",
    "human.pedestrian.personal_mobility",
    "human.pedestrian.police_officer",
    "human.pedestrian.stroller",
    "human.pedestrian.wheelchair",
    "movable_object.barrier",
    "movable_object.debris",
    "movable_object.pushable_pullable",
    "movable_object.trafficcone",
    "static_object.bicycle_rack",
    "vehicle.bicycle",
    "vehicle.bus.bendy",
    "vehicle.bus.rigid",
    "vehicle.car",
    "vehicle.construction",
    "vehicle.emergency.ambulance",
    "vehicle.emergency.police",
    "vehicle.motorcycle",
    "vehicle.trailer",
    "vehicle.truck",
)
ATTRIBUTES = (
    "vehicle.moving",
    "vehicle.stopped",
    "vehicle.parked",
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.sitting_lying_down",
    "pedestrian.standing",
    "pedestrian.moving",
)
VISIBILITIES = {"1": "v0-40", "2": "v40-60", "3": "v60-80", "4": "v80-100"}
"""Token and name of each level: how many percent of an object the six images show."""
_OF_CLASSES = {
    "barrier": "movable_object.barrier",
    "bicycle": "vehicle.bicycle",
    "bus": "vehicle.bus.rigid",
    "car": "vehicle.car",
    "construction_vehicle": "vehicle.construction",
    "motorcycle": "vehicle.motorcycle",
    "pedestrian": "human.pedestrian.adult",
    "traffic_cone": "movable_object.trafficcone",
    "trailer": "vehicle.trailer",
    "truck": "vehicle.truck",
}
_CYCLES = ("vehicle.bicycle", "vehicle.motorcycle")
_NO_WALKERS = ("human.pedestrian.personal_mobility", "human.pedestrian.stroller", "human.pedestrian.wheelchair")
_MOVING_M_S = 0.5
_HALF_SPAN_NS = 250_000_000


def category_of(label: str) -> str:
    """Returns the category of a label: of the ten classes with boxes their commonest one; others keep their name."""
    return _OF_CLASSES.get(label, label)


def attribute_of(category: str, track: BoxTrack, stamp_ns: int) -> str | None:
    """Returns the attribute of an object at a time, from its motion; None for categories without one."""
    moving = _speed_m_s(track, stamp_ns) > _MOVING_M_S
    if category in _CYCLES:
        return "cycle.with_rider" if track.moves else "cycle.without_rider"
    if category.startswith("vehicle."):
        return "vehicle.moving" if moving else ("vehicle.stopped" if track.moves else "vehicle.parked")
    if category.startswith("human.pedestrian.") and category not in _NO_WALKERS:
        return "pedestrian.moving" if moving else "pedestrian.standing"
    return None


def visibility_of(fraction: float) -> str:
    """Returns the token of the level of visibility of an object of which the images show a fraction."""
    return str(1 + sum(fraction >= bound for bound in (0.4, 0.6, 0.8)))


def _speed_m_s(track: BoxTrack, stamp_ns: int) -> float:
    first, last = int(track.stamps_ns[0]), int(track.stamps_ns[-1])
    begin, end = max(first, stamp_ns - _HALF_SPAN_NS), min(last, stamp_ns + _HALF_SPAN_NS)
    before, after = track.pose(begin), track.pose(end)
    if end <= begin or before is None or after is None:
        return 0.0
    way = after[:3, 3] - before[:3, 3]
    return float((way @ way) ** 0.5 / ((end - begin) * 1e-9))
