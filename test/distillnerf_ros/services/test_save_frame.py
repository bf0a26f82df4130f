"""/save_frame: a frame in files, whole or not at all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distillnerf_ros.srv import QueryText, SaveFrame

Response = QueryText.Response


def test_a_frame_is_saved_where_the_parameter_says(
    make_world: Callable[..., Any], ask: Callable[..., Any], tmp_path: Path
) -> None:
    world = make_world(save__folder=str(tmp_path / "frames"))
    world.activate()
    reference_ns = world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)
    answer = ask(world, SaveFrame, "save_frame")
    assert (answer.success, answer.status, answer.message) == (True, Response.OK, "")
    assert Path(answer.path) == tmp_path / "frames" / f"frame_{reference_ns}"
    files = list(Path(answer.path).iterdir())
    assert answer.bytes == sum(file.stat().st_size for file in files)
    assert {"overview.png", "summary.json", "depth.npz", "occupancy.npz"} <= {file.name for file in files}


def test_a_folder_of_the_request_is_used(street: Any, ask: Callable[..., Any], tmp_path: Path) -> None:
    answer = ask(street, SaveFrame, "save_frame", folder=str(tmp_path / "mine"))
    assert Path(answer.path).parent == tmp_path / "mine"


def test_a_full_disk_is_said_and_leaves_nothing(
    street: Any, ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("numpy.savez_compressed", full)
    answer = ask(street, SaveFrame, "save_frame", folder=str(tmp_path / "disk"))
    assert (answer.success, answer.status) == (False, Response.IO_ERROR)
    for word in (str(tmp_path / "disk"), "MiB are free", "No space left"):
        assert word in answer.message
    assert list(tmp_path.iterdir()) == []
    street.wait_for_trouble("files", "No space left")


@pytest.mark.parametrize(
    ("folder", "status"),
    [("/proc/none", Response.IO_ERROR), ("x" * 5000, Response.IO_ERROR), ("~no_such_user/x", Response.BAD_REQUEST)],
)
def test_folders_that_cannot_be_written_are_named(
    street: Any, ask: Callable[..., Any], folder: str, status: int
) -> None:
    answer = ask(street, SaveFrame, "save_frame", folder=folder)
    assert (answer.success, answer.status) == (False, status)
    assert folder[:40] in answer.message
