"""What all services have in common: readiness, age, refusals, and a node that stays responsive."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.srv import QueryText, RenderView, SaveFrame
from lifecycle_msgs.msg import Transition

from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_ros.services.desk import SERVICES

Response = QueryText.Response
FLOOD = ("query_text", "query_point", "get_voxels", "encode_text")
FIELDS: dict[str, Any] = {"query_text": {"texts": ["car"]}, "encode_text": {"texts": ["car"]}}


def test_every_service_says_that_the_node_is_not_active(world: Any, ask: Callable[..., Any]) -> None:
    assert len(SERVICES) == 8
    for service in SERVICES:
        answer = ask(world, service.kind, service.name, **FIELDS.get(service.name, {}))
        assert (answer.success, answer.status) == (False, Response.NOT_READY), service.name
        assert "activate" in answer.message
    world.activate()
    for service in SERVICES:
        answer = ask(world, service.kind, service.name, **FIELDS.get(service.name, {}))
        if service.needs_frame:
            assert answer.status == Response.NOT_READY, service.name
            assert "no frame" in answer.message
        else:
            assert answer.success, service.name


def test_every_answer_from_an_old_frame_says_so(
    make_world: Callable[..., Any], ask: Callable[..., Any], tmp_path: Path
) -> None:
    world = make_world(cache__max_age_s=0.001, save__folder=str(tmp_path))
    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    for service in SERVICES:
        if service.needs_frame:
            answer = ask(world, service.kind, service.name, **FIELDS.get(service.name, {}))
            assert (answer.success, answer.status) == (False, Response.STALE), service.name
            assert "cache.max_age_s" in answer.message


def test_an_unexpected_error_is_an_answer_and_is_reported(
    street: Any, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(PerceptionPipeline, "render_view", broken)
    answer = ask(street, RenderView, "render_view")
    assert (answer.success, answer.status) == (False, Response.INTERNAL_ERROR)
    assert "ZeroDivisionError: a fault" in answer.message
    street.wait_for_trouble("services", "a fault")


def test_a_slow_answer_holds_up_neither_images_nor_other_answers(
    world: Any, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, begun = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        begun.set()
        hold.wait(30)
        raise ZeroDivisionError

    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    monkeypatch.setattr(PerceptionPipeline, "render_view", slow)
    client = world.client.create_client(RenderView, "/render_view")
    world.wait_for("service", client.service_is_ready)
    waiting = [client.call_async(RenderView.Request()) for _ in range(8)]
    try:
        assert begun.wait(10)
        before = world.node.session.processed
        world.publish_sweep(1)
        world.wait_for("another frame", lambda: world.node.session.processed > before)
        assert world.query(texts=["car"]).success
        world.wait_for("refusals", lambda: sum(future.done() for future in waiting) >= 3)
        refused = [future.result() for future in waiting if future.done()]
        assert {(answer.status, answer.success) for answer in refused} == {(Response.BUSY, False)}
        assert "ask less often" in refused[0].message
        world.wait_for_trouble("services", "render_view", "ask less often")
    finally:
        hold.set()
    world.wait_for("all answers", lambda: all(future.done() for future in waiting))


def test_the_node_stays_responsive_under_fifty_calls_a_second(world: Any) -> None:
    world.listen("/distillnerf/status", FrameStatus)
    world.activate()
    calls = [service for service in SERVICES if service.name in FLOOD]
    clients = {service.name: world.client.create_client(service.kind, f"/{service.name}") for service in calls}
    for client in clients.values():
        world.wait_for("service", client.service_is_ready)
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    futures = []
    for number in range(150):
        service = calls[number % len(calls)]
        request = service.kind.Request(**FIELDS.get(service.name, {}))
        futures.append(clients[service.name].call_async(request))
        if number % 25 == 0:
            world.publish_sweep(1 + number // 25)
        time.sleep(0.02)
    world.wait_for("all answers", lambda: all(future.done() for future in futures))
    statuses = [future.result().status for future in futures]
    assert set(statuses) <= {Response.OK, Response.BUSY}
    assert statuses.count(Response.OK) > 20
    world.wait_for("frames meanwhile", lambda: world.node.session.processed >= 4)
    assert world.query(texts=["car"]).success


def test_requests_in_flight_survive_the_end_of_the_session(world: Any, tmp_path: Path) -> None:
    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    client = world.client.create_client(SaveFrame, "/save_frame")
    world.wait_for("service", client.service_is_ready)
    future = client.call_async(SaveFrame.Request(folder=str(tmp_path)))
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert world.transition(transition)
    world.wait_for("an answer", future.done)
    assert future.result().status in (Response.OK, Response.NOT_READY)
