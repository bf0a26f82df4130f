"""The files for RViz and Foxglove show what the node publishes: docs/topics.md, which a test of its own keeps true."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CAMERAS = ["CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT"]
CLASSES = {
    "PointCloud2": "sensor_msgs/PointCloud2",
    "Image": "sensor_msgs/Image",
    "MarkerArray": "visualization_msgs/MarkerArray",
    "Map": "nav_msgs/OccupancyGrid",
}


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[str, str]]:
    """Type and QoS of every topic that the node publishes with the cameras of nuScenes."""
    table = (ROOT / "docs" / "topics.md").read_text().split("## Published")[1].split("## Subscribed")[0]
    rows = re.findall(r"^\| `(\S+)` \| (\S+) \| ([^|]+) \|", table, re.MULTILINE)
    assert len(rows) > 10
    return {
        name.replace("~", "/distillnerf").replace("<cam>", camera): (kind, qos)
        for name, kind, qos in rows
        for camera in CAMERAS
    }


@pytest.fixture(scope="module")
def rviz() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "rviz" / "distillnerf.rviz").read_text())["Visualization Manager"]
    return loaded


@pytest.fixture(scope="module")
def foxglove() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "config" / "foxglove_layout.json").read_text())
    return loaded


def displays(rviz: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in rviz["Displays"] if "Topic" in item]


def test_every_display_of_rviz_can_receive_its_topic(
    rviz: dict[str, Any], published: dict[str, tuple[str, str]]
) -> None:
    for item in displays(rviz):
        kind, qos = published[item["Topic"]["Value"]]
        assert kind == CLASSES[item["Class"].rpartition("/")[2]], item["Name"]
        assert item["Class"].startswith("rviz_default_plugins/")
        # A reliable display receives nothing from a best-effort publisher, a latched one nothing from a volatile one.
        offered = qos.strip().split(", ")
        assert item["Topic"]["Reliability Policy"].lower() in (offered[0], "best effort")
        assert item["Topic"]["Durability Policy"].lower() == "volatile" == offered[1]


def test_rviz_opens_what_the_contract_says(rviz: dict[str, Any]) -> None:
    assert rviz["Global Options"]["Fixed Frame"] == "base_link"
    shown = {item["Topic"]["Value"]: item for item in displays(rviz) if item["Enabled"]}
    voxels = shown["/distillnerf/occupancy/points"]
    assert (voxels["Style"], voxels["Size (m)"], voxels["Color Transformer"]) == ("Boxes", 0.4, "RGB8")
    assert shown["/distillnerf/query/points"]["Style"] == "Boxes"
    images = [topic for topic, item in shown.items() if item["Class"].endswith("/Image")]
    assert images == [f"/distillnerf/{camera}/depth/image" for camera in CAMERAS]
    # The markers stall RViz: the point cloud shows the same.
    assert "/distillnerf/occupancy/markers" not in shown


def test_every_panel_of_foxglove_shows_a_published_topic(
    foxglove: dict[str, Any], published: dict[str, tuple[str, str]]
) -> None:
    named = set(re.findall(r'"(/[^"]+)"', json.dumps(foxglove)))
    assert named <= set(published)
    assert {"/diagnostics", "/distillnerf/status", "/distillnerf/occupancy/points"} <= named
    for camera in CAMERAS:
        for kind in ("depth", "semantics"):
            assert f"/distillnerf/{camera}/{kind}/image" in named
    scene = foxglove["configById"]["3D!scene"]
    assert scene["followTf"] == "base_link"
    shown = scene["topics"]["/distillnerf/occupancy/points"]
    assert (shown["visible"], shown["colorMode"], shown["cubeSize"]) == (True, "rgb", 0.4)


def test_every_panel_of_foxglove_has_a_place(foxglove: dict[str, Any]) -> None:
    placed = set(_leaves(foxglove["layout"]))
    for tab in foxglove["configById"]["Tab!images"]["tabs"]:
        placed |= set(_leaves(tab["layout"]))
    assert placed == set(foxglove["configById"])


def _leaves(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    assert node["direction"] in ("row", "column")
    assert 0 < node["splitPercentage"] < 100
    return [*_leaves(node["first"]), *_leaves(node["second"])]
