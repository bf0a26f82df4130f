"""ROS parameters from typed configurations, where each default, description and range exists once."""

import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import annotated_types
import pydantic
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from distillnerf_core.configuration import Config, parse_config
from distillnerf_core.errors import ConfigurationError

ConfigT = TypeVar("ConfigT", bound=Config)
NO_LIMIT = 1e12
"""Bound of a number that has none: a ROS range needs both ends."""


@dataclass(frozen=True)
class ParameterSpec:
    """A ROS parameter as derived from a field of a configuration.

    Attributes:
        name: Dotted name, such as "sync.tolerance_s".
        default: Value in ROS types: lists for tuples, "NAME=VALUE" texts for a mapping, [""] for an empty list (whose
            type ROS cannot tell), "" for an absent text or path.
        descriptor: Description and range.
    """

    name: str
    default: Any
    descriptor: ParameterDescriptor


def parameter_specs(cls: type[pydantic.BaseModel], prefix: str = "") -> Iterator[ParameterSpec]:
    """Walks a configuration class; a nested configuration becomes a dotted prefix."""
    for name, field in cls.model_fields.items():
        if _is_config(field.annotation):
            yield from parameter_specs(typing.cast(type[pydantic.BaseModel], field.annotation), f"{prefix}{name}.")
        else:
            default = _to_ros(field.get_default(call_default_factory=True))
            yield ParameterSpec(prefix + name, default, _descriptor(prefix + name, field))


def declare_parameters(node: Node, cls: type[Config], accepted: Callable[[], None]) -> None:
    """Declares all parameters of a configuration, and refuses values that the configuration refuses.

    Args:
        node: Node that declares them.
        cls: Configuration class.
        accepted: Called when a change was found valid, before the node holds the new values.

    Raises:
        ConfigurationError: Naming the parameter whose value at the start is of another type or out of range.
    """
    for spec in parameter_specs(cls):
        _declare(node, spec)

    names = {spec.name for spec in parameter_specs(cls)}

    def check(changes: list[Parameter]) -> SetParametersResult:
        """Accepts changes under which the whole configuration stays valid."""
        if not any(change.name in names for change in changes):
            return SetParametersResult(successful=True)
        try:
            read_parameters(node, cls, {change.name: change.value for change in changes})
        except ConfigurationError as err:
            return SetParametersResult(successful=False, reason=str(err))
        accepted()
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


def read_parameters(node: Node, cls: type[ConfigT], changes: Mapping[str, Any] | None = None) -> ConfigT:
    """Builds the configuration from the node's parameters.

    Args:
        node: Node that declared them.
        cls: Configuration class.
        changes: Values to use in place of the node's.

    Raises:
        ConfigurationError: Naming the parameter and what is wrong with it.
    """
    nested: dict[str, Any] = {}
    for spec in parameter_specs(cls):
        value = node.get_parameter(spec.name).value
        if changes is not None and spec.name in changes:
            value = changes[spec.name]
        *sections, last = spec.name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = _from_ros(value, _field(cls, spec.name), spec.name)
    return parse_config(nested, cls, f"parameters of {node.get_fully_qualified_name()}")


def _declare(node: Node, spec: ParameterSpec) -> None:
    try:
        node.declare_parameter(spec.name, spec.default, spec.descriptor)
    except InvalidParameterTypeException as err:
        hint = "; this number needs a point: write 10.0, not 10" if isinstance(spec.default, float) else ""
        raise ConfigurationError(f"parameter {spec.name}: {err}{hint}") from err
    except InvalidParameterValueException as err:
        raise ConfigurationError(f"parameter {spec.name}: {err}") from err


def _descriptor(name: str, field: FieldInfo) -> ParameterDescriptor:
    if not field.description:
        raise ConfigurationError(f"parameter {name}: the configuration gives no description")
    descriptor = ParameterDescriptor(name=name, description=field.description)
    kind = _plain(field.annotation)
    if kind is int:
        low, high = _bounds(field)
        bounds = IntegerRange(from_value=int(low), to_value=int(high), step=0)
        descriptor.integer_range = [bounds]
    elif kind is float:
        low, high = _bounds(field)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    elif typing.get_origin(kind) is typing.Literal:
        descriptor.additional_constraints = "one of " + ", ".join(str(choice) for choice in typing.get_args(kind))
    return descriptor


def _bounds(field: FieldInfo) -> tuple[float, float]:
    low, high = -NO_LIMIT, NO_LIMIT
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge | annotated_types.Gt):
            low = float(typing.cast(float, rule.ge if isinstance(rule, annotated_types.Ge) else rule.gt))
        elif isinstance(rule, annotated_types.Le | annotated_types.Lt):
            high = float(typing.cast(float, rule.le if isinstance(rule, annotated_types.Le) else rule.lt))
    return low, high


def _field(cls: type[pydantic.BaseModel], name: str) -> FieldInfo:
    *sections, last = name.split(".")
    for section in sections:
        cls = typing.cast(type[pydantic.BaseModel], cls.model_fields[section].annotation)
    return cls.model_fields[last]


def _is_config(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)


def _plain(annotation: Any) -> Any:
    """Strips `| None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return kinds[0]
    return annotation


def _to_ros(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()] or [""]
    if isinstance(value, tuple | list):
        return list(value) or [""]
    return value


def _from_ros(value: Any, field: FieldInfo, name: str) -> Any:
    if isinstance(value, str):
        return value if value or field.default == "" else None
    if not isinstance(value, Sequence):
        return value
    items = tuple(item for item in value if item != "")
    return _pairs(items, name) if typing.get_origin(_plain(field.annotation)) is dict else items


def _pairs(items: tuple[str, ...], name: str) -> dict[str, str]:
    for item in items:
        if "=" not in item:
            raise ConfigurationError(f"parameter {name}: expected entries NAME=VALUE, got {item!r}")
    return dict(item.split("=", 1) for item in items)
