"""A node that has perceived a street, and a way to ask it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def street(checkpoint: Path) -> Iterator[Any]:
    """A world whose node has perceived one sweep, for tests that change nothing of it."""
    support = sys.modules["ros_world"]
    parameters = {"model.checkpoint": str(checkpoint), "input.preset": "nuscenes_upper", "cache.max_age_s": 3600.0}
    # Its domain is none of those of `make_world`, whose worlds come and go meanwhile.
    world = support.World(101 + os.getpid() % 100, parameters)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("distillnerf_core.model.loading.MiniLmEncoder", support.FakeEncoder)
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
