"""What users say about streets and cameras, in options or in the text that names simulated drives.

Command lines read this, so it loads nothing slow before it must.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from distillnerf_core.errors import ConfigurationError

if TYPE_CHECKING:
    from distillnerf_core.simulation.camera_effects import CameraEffects
    from distillnerf_core.simulation.style import StreetStyle


class StreetOption(NamedTuple):
    """Something that users can say."""

    name: str
    kind: Any
    key: str
    """Field of the configuration."""
    help: str


STYLE = (
    StreetOption("light", Literal["day", "dusk"], "daytime", "Height of the sun; default day."),
    StreetOption("wet", float, "wetness", "Water on the asphalt, which mirrors, 0 to 1; default 0."),
    StreetOption("slowest", float, "slowest_m_s", "Least speed of a vehicle that drives, m/s; default 1."),
    StreetOption("fastest", float, "fastest_m_s", "Greatest speed, m/s; default 10, of drives in nuScenes format 15."),
    StreetOption("driving", float, "driving", "Share of the streets in which the vehicle drives; default 0.85."),
    StreetOption(
        "manoeuvre",
        Literal["straight", "lane_change", "turn", "any"],
        "manoeuvre",
        "What the vehicle does: straight on (default), a change of lane, a turn at a crossing, or any of them.",
    ),
    StreetOption(
        "city",
        Literal["mixed", "suburb", "downtown", "industrial"],
        "city",
        "Part of a city: a suburb, downtown, industrial, or mixed streets (default).",
    ),
    StreetOption("crossing", float, "crossing", "Share of the streets that another one crosses; default 0.5."),
    StreetOption("bending", float, "bending", "Share of the streets that bend, in place of being crossed; default 0."),
    StreetOption("cross_traffic", float, "cross_traffic", "How much drives on the crossing street, 0 to 1; default 0."),
    StreetOption("occluded", int, "occluded", "Most people who step out from behind parked vehicles; default 0."),
    StreetOption(
        "street_seconds",
        float,
        "seconds",
        "Drive that streets are long enough for, s; default: its length in nuScenes format, else a glance.",
    ),
)
EFFECTS = (
    StreetOption("noise", float, "noise", "Noise at white on the scale of 0 to 1, such as 0.02; default 0."),
    StreetOption(
        "exposure", float, "exposure_stops", "Spread of the cameras' exposures in stops, such as 0.3; default 0."
    ),
    StreetOption("vignetting", float, "vignetting", "Share of the light that is lost in the corners; default 0."),
)


@dataclass(frozen=True)
class StreetOptions:
    """What users said about streets and cameras; what they did not say stays as it is.

    Attributes:
        style: Values for fields of `StreetStyle`.
        effects: Values for fields of `CameraEffects`.
    """

    style: Mapping[str, Any] = field(default_factory=dict)
    effects: Mapping[str, Any] = field(default_factory=dict)

    def street_style(self, base: "StreetStyle") -> "StreetStyle":
        """Returns a style with what users said.

        Raises:
            ConfigurationError: If a value is out of its range.
        """
        from distillnerf_core.configuration import parse_config
        from distillnerf_core.simulation.style import StreetStyle

        return parse_config({**base.model_dump(), **self.style}, StreetStyle, "streets")

    def camera_effects(self) -> "CameraEffects":
        """Returns the faults of the cameras.

        Raises:
            ConfigurationError: If a value is out of its range.
        """
        from distillnerf_core.configuration import parse_config
        from distillnerf_core.simulation.camera_effects import CameraEffects

        return parse_config(self.effects, CameraEffects, "faults of the cameras")


def read_street_options(text: str) -> StreetOptions:
    """Reads options such as `light=dusk,wet=0.5`; the names are those of `distillnerf simulate`.

    Raises:
        ConfigurationError: If there is no such option, it is given twice, or its value is no number but should be.
    """
    style: dict[str, Any] = {}
    effects: dict[str, Any] = {}
    known = {
        option.name: (option, said) for options, said in ((STYLE, style), (EFFECTS, effects)) for option in options
    }
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not part:
            raise ConfigurationError("nothing follows the comma; expected NAME=VALUE, such as light=dusk,wet=0.5")
        if name not in known or not equals:
            raise ConfigurationError(f"{part!r}: expected NAME=VALUE with one of {', '.join(known)}")
        option, said = known[name]
        if option.key in said:
            raise ConfigurationError(f"{name} is given twice in {text!r}")
        said[option.key] = _parse(option, value)
    return StreetOptions(style, effects)


def _parse(option: StreetOption, value: str) -> Any:
    if option.kind not in (float, int):
        return value
    try:
        return option.kind(value)
    except ValueError:
        raise ConfigurationError(f"{option.name}={value}: expected a number") from None
