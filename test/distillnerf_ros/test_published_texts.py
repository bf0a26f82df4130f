"""The node with a published network: texts where they can be compared, and a reason where not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distillnerf_ros.msg import FrameStatus
from distillnerf_ros.srv import QueryText

Response = QueryText.Response
WARN, ERROR = 1, 2


def perceive(world: Any) -> None:
    world.activate()
    world.publish_sweep(0)
    world.wait_for("a frame", lambda: world.node.session.latest)


def test_a_clip_checkpoint_with_its_files_answers(
    make_world: Callable[..., Any], reference_weights: Callable[[str], Path], clip_folder: Path, clip_compression: Path
) -> None:
    files = {"model__clip_folder": str(clip_folder), "model__clip_compression": str(clip_compression)}
    world = make_world(
        model__checkpoint=str(reference_weights("reference-clip")), occupancy__density_threshold=0.1, **files
    )
    perceive(world)
    answer = world.query(texts=["car", "tree"], return_cloud=True)
    assert (answer.success, answer.status, answer.message) == (True, Response.OK, "")
    assert sum(answer.count) > 0
    assert answer.cloud.width > 0
    world.wait_for("diagnostics", lambda: world.diagnostics().get("query", (ERROR, ""))[0] == 0)


@pytest.mark.parametrize(
    ("variant", "files", "level", "word"),
    [
        ("reference-clip", {}, WARN, "clip_reduction_pca.npz"),
        ("reference-clip", {"model__clip_folder": "none"}, ERROR, "clip_reduction_pca.npz"),
        (
            "reference-clip",
            {"model__clip_folder": "none", "model__clip_compression": "none.npz"},
            ERROR,
            "none.npz does not exist",
        ),
        ("reference-linear", {}, WARN, "renders colour"),
    ],
    ids=["no files", "one file", "missing files", "colour"],
)
def test_without_texts_the_node_perceives_and_says_why(
    make_world: Callable[..., Any],
    reference_weights: Callable[[str], Path],
    variant: str,
    files: dict[str, str],
    level: int,
    word: str,
) -> None:
    world = make_world(model__checkpoint=str(reference_weights(variant)), occupancy__density_threshold=0.1, **files)
    world.listen("/distillnerf/status", FrameStatus)
    perceive(world)
    world.wait_for_message("/distillnerf/status")
    for _ in range(2):
        answer = world.query(texts=["car"])
        assert (answer.success, answer.status) == (False, Response.NO_LANGUAGE)
        assert word in answer.message
    world.wait_for_trouble("query", word)
    assert world.diagnostics()["query"][0] == level
