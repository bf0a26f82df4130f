"""A node that has perceived a street, and a way to ask it."""

import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_DOMAINS = count(50)


@pytest.fixture(scope="module")
def street(checkpoint: Path) -> Iterator[Any]:
    """A world whose node has perceived one sweep, for the tests of a module that change nothing."""
    support = sys.modules["ros_world"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distillnerf_core.model.loading.MiniLmEncoder", support.FakeEncoder)
        parameters = {
            "model.checkpoint": str(checkpoint),
            "input.preset": "nuscenes_upper",
            "cache.max_age_s": 600.0,
        }
        world = support.World(1 + (os.getpid() * 7 + next(_DOMAINS)) % 100, parameters)
        try:
            world.activate()
            world.publish_sweep(0)
            world.wait_for("a frame", lambda: world.node.session.latest)
            yield world
        finally:
            world.close()


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """Calls a service: `ask(world, QueryPoint, "query_point", top=3)`."""

    def call(world: Any, kind: Any, name: str, **fields: Any) -> Any:
        client = world.client.create_client(kind, f"/{name}")
        try:
            return world.call(client, kind.Request(**fields))
        finally:
            world.client.destroy_client(client)

    return call
