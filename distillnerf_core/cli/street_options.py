"""Options of commands that make streets: how streets and cameras are."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from distillnerf_core.simulation.camera_effects import CameraEffects
    from distillnerf_core.simulation.style import StreetStyle


class _Option(NamedTuple):
    name: str
    kind: Any
    key: str
    """Field of the configuration."""
    help: str


_STYLE = (
    _Option("light", Literal["day", "dusk"], "daytime", "Height of the sun; default day."),
    _Option("wet", float, "wetness", "Water on the asphalt, which mirrors, 0 to 1; default 0."),
    _Option("slowest", float, "slowest_m_s", "Least speed of a vehicle that drives, m/s; default 1."),
    _Option("fastest", float, "fastest_m_s", "Greatest speed, m/s; default 10, of drives in nuScenes format 15."),
    _Option("driving", float, "driving", "Share of the streets in which the vehicle drives; default 0.85."),
    _Option(
        "manoeuvre",
        Literal["straight", "lane_change", "turn", "any"],
        "manoeuvre",
        "What the vehicle does: straight on (default), a change of lane, a turn at a crossing, or any of them.",
    ),
    _Option(
        "city",
        Literal["mixed", "suburb", "downtown", "industrial"],
        "city",
        "Part of a city: a suburb, downtown, industrial, or mixed streets (default).",
    ),
    _Option("crossing", float, "crossing", "Share of the streets that another one crosses; default 0.5."),
    _Option("bending", float, "bending", "Share of the streets that bend, in place of being crossed; default 0."),
    _Option("cross_traffic", float, "cross_traffic", "How much drives on the crossing street, 0 to 1; default 0."),
    _Option("occluded", int, "occluded", "Most people who step out from behind parked vehicles; default 0."),
    _Option(
        "street_seconds",
        float,
        "seconds",
        "Drive that streets are long enough for, s; default: its length in nuScenes format, else a glance.",
    ),
)
_EFFECTS = (
    _Option("noise", float, "noise", "Noise at white on the scale of 0 to 1, such as 0.02; default 0."),
    _Option("exposure", float, "exposure_stops", "Spread of the cameras' exposures in stops, such as 0.3; default 0."),
    _Option("vignetting", float, "vignetting", "Share of the light that is lost in the corners; default 0."),
)
_PANELS = ((_STYLE, "Streets"), (_EFFECTS, "Faults of the cameras"))


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


def takes_streets(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of streets and cameras to a command, which gets them as the argument `streets`."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        style, effects = (
            {option.key: value for option in options if (value := values.pop(option.name)) is not None}
            for options, _ in _PANELS
        )
        command(streets=StreetOptions(style, effects), **values)

    added = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[option.kind | None, typer.Option(help=option.help, rich_help_panel=panel)],
        )
        for options, panel in _PANELS
        for option in options
    ]
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "streets"]
    wrapped.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return wrapped
