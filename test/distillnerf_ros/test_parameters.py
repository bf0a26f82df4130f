"""Every parameter is described, and a senseless value is refused by name."""

from typing import Any

from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from distillnerf_ros.config import NodeConfig
from distillnerf_ros.parameters import parameter_specs, read_parameters


def test_every_parameter_has_a_description_and_every_number_a_range(world: Any) -> None:
    specs = list(parameter_specs(NodeConfig))
    assert len(specs) > 30
    for spec in specs:
        descriptor = world.node.describe_parameter(spec.name)
        assert len(descriptor.description) > 5, spec.name
        if descriptor.type == ParameterType.PARAMETER_DOUBLE:
            assert descriptor.floating_point_range, spec.name
        if descriptor.type == ParameterType.PARAMETER_INTEGER:
            assert descriptor.integer_range, spec.name


def test_the_contract_s_names_are_there() -> None:
    names = {spec.name for spec in parameter_specs(NodeConfig)}
    assert {
        "input.preset",
        "sync.tolerance_s",
        "sync.phases_ms",
        "tf.base_frame",
        "tf.tolerance_s",
        "model.checkpoint",
        "depth.max_range_m",
        "occupancy.range",
        "occupancy.markers.enable",
        "query.negatives",
    } <= names


def test_untouched_parameters_give_the_defaults(world: Any) -> None:
    read = read_parameters(world.node, NodeConfig)
    expected = NodeConfig().model_dump()
    expected["input"]["preset"] = "nuscenes_upper"
    expected["model"]["checkpoint"] = read.model.checkpoint
    expected["sync"]["grace_s"], expected["input"]["reliability"] = 0.5, "reliable"
    assert read.model_dump() == expected


def test_phases_are_names_and_values(make_world: Any) -> None:
    world = make_world(sync__phases_ms=["CAM_FRONT=7.5", "CAM_BACK=32.5"])
    assert read_parameters(world.node, NodeConfig).sync.phases_ms == {"CAM_FRONT": 7.5, "CAM_BACK": 32.5}


def test_senseless_values_are_refused_by_name(world: Any) -> None:
    for name, value in (("sync.tolerance_s", -1.0), ("sync.phases_ms", ["fast"]), ("input.image_transport", "fax")):
        result = world.node.set_parameters([Parameter(name, value=value)])[0]
        assert not result.successful
        assert name.rsplit(".", maxsplit=1)[-1] in result.reason
