"""Typed, frozen configuration: one place for defaults, and errors that name the valid keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from distillnerf_core.errors import ConfigurationError


class Config(pydantic.BaseModel):
    """Base of all configurations: immutable, and unknown keys are errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=Config)


def parse_config(values: Mapping[str, Any], cls: type[ConfigT], source: str = "configuration") -> ConfigT:
    """Validates plain values against a configuration class.

    Args:
        values: Nested mapping as read from YAML or a checkpoint.
        cls: Configuration class to build.
        source: Name of the origin, for error messages.

    Raises:
        ConfigurationError: Naming each offending key, why, and the valid keys of that section.
    """
    try:
        return cls.model_validate(dict(values))
    except pydantic.ValidationError as err:
        raise ConfigurationError(f"{source}: " + "; ".join(_describe(issue, cls) for issue in err.errors())) from err


def load_config(path: Path, cls: type[ConfigT], overrides: Sequence[str] = ()) -> ConfigT:
    """Reads a YAML file and applies `section.key=value` overrides.

    Args:
        path: YAML file.
        cls: Configuration class to build.
        overrides: Assignments whose right sides are parsed as YAML.

    Raises:
        ConfigurationError: If the file is missing, is no YAML mapping, or has invalid keys or values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise ConfigurationError(f"cannot read configuration file {path}: {err}") from err
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected a mapping of keys to values, got {type(values).__name__}")
    for override in overrides:
        _apply_override(values, override)
    return parse_config(values, cls, str(path))


def configure(cls: type[ConfigT], overrides: Sequence[str]) -> ConfigT:
    """Applies `section.key=value` overrides to the defaults of a configuration class.

    Raises:
        ConfigurationError: If a key or value is invalid.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        _apply_override(values, override)
    return parse_config(values, cls, "--set")


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigurationError(f"override {override!r}: expected section.key=value")
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigurationError(f"override {override!r}: {section!r} is a value, not a section")
    values[last] = yaml.safe_load(text)


def _describe(issue: Any, cls: type[Config]) -> str:
    location = [str(part) for part in issue["loc"]]
    where = ".".join(location) or "top level"
    if issue["type"] == "extra_forbidden":
        return f"unknown key {where!r} (valid keys here: {', '.join(_valid_keys(cls, location[:-1]))})"
    return f"{where!r}: {issue['msg']}"


def _valid_keys(cls: type[pydantic.BaseModel], sections: Sequence[str]) -> list[str]:
    for section in sections:
        annotation: Any = cls.model_fields[section].annotation if section in cls.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)):
            break
        cls = annotation
    return sorted(cls.model_fields)
