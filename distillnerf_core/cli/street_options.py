"""Options of commands that make streets: how streets and cameras are."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from distillnerf_core.simulation.street_options import EFFECTS, STYLE, StreetOptions

_PANELS = ((STYLE, "Streets"), (EFFECTS, "Faults of the cameras"))


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
