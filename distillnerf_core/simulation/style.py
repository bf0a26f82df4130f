"""How streets are made."""

from typing import Literal

import pydantic

from distillnerf_core.configuration import Config
from distillnerf_core.simulation.cities import City

Manoeuvre = Literal["straight", "lane_change", "turn", "any"]


class StreetStyle(Config):
    """Ways in which streets differ from those of the shipped figures, which are made with the defaults.

    Attributes:
        seconds: Length of the drive that the street is built for: it is longer by the way of the vehicle, and other
            lanes are filled so that traffic surrounds the vehicle throughout.
        slowest_m_s: Least speed of a vehicle that drives.
        fastest_m_s: Greatest speed.
        driving: Share of the streets in which the vehicle drives, 0 to 1.
        daytime: `day`, or `dusk` with a low red sun.
        wetness: How much water stands on the asphalt, 0 to 1; it mirrors what stands around.
        manoeuvre: What a vehicle that drives does: it goes `straight` on; changes to a neighbouring lane
            (`lane_change`); turns into a crossing street, no faster than it can (`turn`); or one of these (`any`).
        city: Part of a city: a `suburb` of houses, `downtown` with towers, `industrial` with halls and lorries; or
            streets that are `mixed`, from houses to towers.
        crossing: Share of the streets that another street crosses; those in which the vehicle turns always have one.
        bending: Share of the streets that bend near the vehicle, in place of being crossed; those in which it turns, or
            in which there is cross traffic, do not.
        cross_traffic: How much traffic there is on the crossing street, 0 to 1; vehicles wait there in any case.
        occluded: Most people who step onto the road from behind parked vehicles, before the vehicle.
    """

    seconds: float = pydantic.Field(default=0.0, ge=0, le=60)
    slowest_m_s: float = pydantic.Field(default=1.0, gt=0, le=20)
    fastest_m_s: float = pydantic.Field(default=10.0, gt=0, le=20)
    driving: float = pydantic.Field(default=0.85, ge=0, le=1)
    daytime: Literal["day", "dusk"] = "day"
    wetness: float = pydantic.Field(default=0.0, ge=0, le=1)
    manoeuvre: Manoeuvre = "straight"
    city: City = "mixed"
    crossing: float = pydantic.Field(default=0.5, ge=0, le=1)
    bending: float = pydantic.Field(default=0.0, ge=0, le=1)
    cross_traffic: float = pydantic.Field(default=0.0, ge=0, le=1)
    occluded: int = pydantic.Field(default=0, ge=0, le=20)

    @pydantic.model_validator(mode="after")
    def _check_speeds(self) -> "StreetStyle":
        if self.slowest_m_s > self.fastest_m_s:
            raise ValueError(f"slowest_m_s {self.slowest_m_s} is above fastest_m_s {self.fastest_m_s}")
        return self
