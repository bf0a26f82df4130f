"""The node's states over the lifecycle services."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters


def state_of(world: Any) -> int:
    client = world.client.create_client(GetState, "/distillnerf/get_state")
    return int(world.call(client, GetState.Request()).current_state.id)


def test_node_goes_through_all_states_and_back(world: Any) -> None:
    assert state_of(world) == State.PRIMARY_STATE_UNCONFIGURED
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert state_of(world) == State.PRIMARY_STATE_INACTIVE
    assert world.node.session is None
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    assert state_of(world) == State.PRIMARY_STATE_ACTIVE
    assert world.node.session is not None
    assert world.transition(Transition.TRANSITION_DEACTIVATE)
    assert world.node.session is None
    assert world.transition(Transition.TRANSITION_CLEANUP)
    assert state_of(world) == State.PRIMARY_STATE_UNCONFIGURED
    assert world.transition(Transition.TRANSITION_CONFIGURE)


@pytest.mark.parametrize("kind", ["missing", "damaged", "other"])
def test_unusable_checkpoint_leaves_the_node_unconfigured_and_alive(
    make_world: Callable[..., Any], tmp_path: Path, checkpoint: Path, kind: str
) -> None:
    path = tmp_path / f"{kind}.safetensors"
    if kind == "damaged":
        path.write_bytes(checkpoint.read_bytes()[:5000])
    elif kind == "other":
        from safetensors.torch import save_file
        from torch import zeros

        save_file({"weight": zeros(3)}, str(path))
    world = make_world(model__checkpoint=str(path))
    assert not world.transition(Transition.TRANSITION_CONFIGURE)
    assert state_of(world) == State.PRIMARY_STATE_UNCONFIGURED
    world.wait_for_trouble("model", path.name)
    world.call(world.client.create_client(SetParameters, "/distillnerf/set_parameters"), _set_checkpoint(checkpoint))
    assert world.transition(Transition.TRANSITION_CONFIGURE)


def test_unknown_preset_is_refused_with_the_known_ones(make_world: Callable[..., Any]) -> None:
    world = make_world(input__preset="nuscenes")
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    assert not world.transition(Transition.TRANSITION_ACTIVATE)
    world.wait_for_trouble("input", "nuscenes_upper")


def test_auto_activate_needs_no_manager(make_world: Callable[..., Any]) -> None:
    world = make_world(auto_activate=True)
    world.wait_for("activation", lambda: world.node.session is not None)


def _set_checkpoint(path: Path) -> SetParameters.Request:
    value = ParameterValue(type=4, string_value=str(path))
    return SetParameters.Request(parameters=[ParameterMessage(name="model.checkpoint", value=value)])
