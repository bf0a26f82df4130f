"""Whatever fails on the way to an active node is reported, and leaves neither topics nor threads."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import CompressedImage

PIECES = (
    "session.QueryPublishers",
    "session.InputSubscriptions",
    "session_health.SessionHealth",
)


def held(world: Any) -> tuple[int, int, int, int]:
    """Number of publishers, subscriptions, timers and inference threads."""
    node = world.node
    threads = [item for item in threading.enumerate() if item.name == "distillnerf inference"]
    return len(list(node.publishers)), len(list(node.subscriptions)), len(list(node.timers)), len(threads)


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("out of luck")


@pytest.mark.parametrize("piece", PIECES)
def test_a_failed_activation_is_reported_and_undone(
    world: Any, monkeypatch: pytest.MonkeyPatch, piece: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    before = held(world)
    with monkeypatch.context() as patched:
        patched.setattr(f"distillnerf_ros.{piece}", broken)
        assert not world.transition(Transition.TRANSITION_ACTIVATE)
    world.wait_for_trouble("input", "RuntimeError", "out of luck")
    assert "Traceback" in caplog.text
    assert world.node.session is None
    assert held(world) == before
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    assert world.node.session is not None


def test_half_of_the_subscriptions_are_undone(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    before = held(world)
    monkeypatch.setattr("distillnerf_ros.subscriptions.static_qos", broken)
    assert not world.transition(Transition.TRANSITION_ACTIVATE)
    assert held(world) == before


@pytest.mark.parametrize("piece", ["session.InputSubscriptions", "layout_search.detect_layout"])
def test_nothing_escapes_the_search_for_cameras(
    make_world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    world = make_world(input__preset="auto")
    monkeypatch.setattr(f"distillnerf_ros.{piece}", broken)
    assert world.transition(Transition.TRANSITION_CONFIGURE)
    world.plug_in(CompressedImage)
    assert world.transition(Transition.TRANSITION_ACTIVATE)
    world.wait_for_trouble("input", "RuntimeError", "out of luck")
    assert world.node.session is None
    assert world.transition(Transition.TRANSITION_DEACTIVATE)
