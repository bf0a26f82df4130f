"""While an inference takes long, the node says how far it is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.msg import Log

INFO = 20


def test_a_slow_frame_is_logged_with_stage_share_and_seconds(
    make_world: Callable[..., Any], reference_weights: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distillnerf_ros.session.LOG_PERIODS_S", (0.0, 0.0))
    world = make_world(model__checkpoint=str(reference_weights("reference-linear")))
    world.listen("/rosout", Log)
    world.activate()
    world.publish_sweep(0)
    pattern = re.compile(r"frame \d+\.\d{3}: sparse network, \d+ %, \d+ s")
    line = world.wait_for_message("/rosout", lambda message: pattern.fullmatch(message.msg))
    assert line.level == INFO
