"""While an inference takes long, the node says how far it is."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Log

from distillnerf_core.model.progress import PatientListener, Progress

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


def test_an_inference_of_minutes_ends_when_the_node_is_deactivated(
    make_world: Callable[..., Any], reference_weights: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    report = PatientListener.__call__

    def slowly(listener: PatientListener, progress: Progress) -> None:
        begun.set()
        time.sleep(0.5)
        report(listener, progress)

    monkeypatch.setattr(PatientListener, "__call__", slowly)
    before = set(threading.enumerate())
    world = make_world(model__checkpoint=str(reference_weights("reference-linear")))
    world.activate()
    world.publish_sweep(0)
    assert begun.wait(20.0)
    start = time.monotonic()
    assert world.transition(Transition.TRANSITION_DEACTIVATE)
    assert time.monotonic() - start < 5.0
    started = set(threading.enumerate()) - before
    assert not [thread for thread in started if thread.name == "distillnerf inference"]
    assert world.diagnostics().get("frame", (0, ""))[0] == 0
