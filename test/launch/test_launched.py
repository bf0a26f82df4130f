"""The launch files at work: node, player and their end, in processes of their own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distillnerf_core.streams.mcap_check import MAGIC

PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def environment_of(process: Any) -> dict[str, str]:
    return dict(process.environ())


def listen(domain: int, kinds: dict[str, Any], parameters_of: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """Returns the first message of each topic, and whether a node takes its time from /clock."""
    import rclpy
    from rcl_interfaces.srv import GetParameters

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node("listener", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: dict[str, Any] = {}
    for topic, kind in kinds.items():
        node.create_subscription(kind, topic, lambda message, topic=topic: received.setdefault(topic, message), 10)
    client = node.create_client(GetParameters, f"{parameters_of}/get_parameters")
    answer: Any = None
    deadline = time.monotonic() + timeout_s
    while len(received) < len(kinds) or answer is None or not answer.done():
        assert time.monotonic() < deadline, (sorted(received), node.get_topic_names_and_types())
        if answer is None and client.service_is_ready():
            answer = client.call_async(GetParameters.Request(names=["use_sim_time", "input.preset"]))
        executor.spin_once(timeout_sec=0.1)
    received["use_sim_time"] = answer.result().values[0].bool_value
    received["preset"] = answer.result().values[1].string_value
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
    return received


def test_a_recording_is_perceived_and_an_interrupt_ends_everything(launch_file: Callable[..., Any], bag: Path) -> None:
    from distillnerf_ros.msg import FrameStatus
    from rosgraph_msgs.msg import Clock

    launched = launch_file("nuscenes_bag", bag=bag, rate=0.1, loop=True, player="own")
    launched.wait_for("layout nuscenes_upper")
    received = listen(launched.domain, {"/distillnerf/status": FrameStatus, "/clock": Clock}, "/distillnerf")
    status = received["/distillnerf/status"]
    assert received["use_sim_time"] is True
    assert received["preset"] == "auto"
    assert all(status.used)
    assert status.motion_compensated  # the static transforms from the beginning of the recording arrived
    children = launched.children()
    assert len(children) == 2
    assert all(environment_of(child)[PROFILE].endswith("fastdds_large_images.xml") for child in children)
    assert launched.interrupt() == 0, launched.text
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in launched.text


def test_everything_can_end_with_the_recording(launch_file: Callable[..., Any], bag: Path) -> None:
    launched = launch_file("nuscenes_bag", bag=bag, player="own", exit_at_end=True, start_offset=1.0)
    assert launched.process.wait(120) == 0, launched.text
    assert "the recording has ended" in launched.text
    assert "played" in launched.text


def test_a_live_rig_has_a_namespace_and_its_own_parameters(launch_file: Callable[..., Any], tmp_path: Path) -> None:
    parameters = tmp_path / "my.yaml"
    parameters.write_text("/**:\n  ros__parameters:\n    input:\n      preset: nuscenes_lower\n")
    profile = tmp_path / "own.xml"
    profile.write_text("<dds/>")
    launched = launch_file(
        "live", {PROFILE: str(profile)}, namespace="robot1", params=parameters, log_level="warn", use_sim_time=False
    )
    received = listen(launched.domain, {}, "/robot1/distillnerf")
    assert received == {"use_sim_time": False, "preset": "nuscenes_lower"}
    (child,) = launched.children()
    assert environment_of(child)[PROFILE] == str(profile)
    assert "configured on" not in launched.text  # an INFO
    assert launched.interrupt() == 0


def test_a_simulated_street_is_recorded_once(launch_file: Callable[..., Any], tmp_path: Path) -> None:
    options = {"seconds": 0.5, "width": 64, "loop": False, "player": "own", "exit_at_end": True, "rate": 4.0}
    first = launch_file("simulation", {"XDG_CACHE_HOME": str(tmp_path)}, **options)
    assert first.process.wait(200) == 0, first.text
    (recording,) = (tmp_path / "distillnerf").iterdir()
    assert recording.name.startswith("street_7_0.5s_64_")
    second = launch_file("simulation", {"XDG_CACHE_HOME": str(tmp_path)}, **options)
    second.wait_for("from an earlier start")
    second.wait_for("played")


def test_a_simulation_that_fails_ends_everything_and_says_so(launch_file: Callable[..., Any], tmp_path: Path) -> None:
    launched = launch_file("simulation", {"XDG_CACHE_HOME": str(tmp_path)}, seconds=-1.0, width=64, player="own")
    launched.wait_for("the simulation failed with status")
    launched.process.wait(40)
    assert "distillnerf_bag_player" not in launched.text


@pytest.mark.parametrize(("name", "words"), [("absent", "does not exist"), ("foxglove", "distillnerf bag convert")])
def test_what_cannot_be_played_is_said_at_once(
    launch_file: Callable[..., Any], tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "foxglove.mcap").write_bytes(_protobuf_mcap())
    launched = launch_file("nuscenes_bag", bag=tmp_path / f"{name}.mcap")
    assert launched.process.wait(60) == 1
    assert words in launched.text


def test_a_checkpoint_that_is_missing_is_said(launch_file: Callable[..., Any], tmp_path: Path) -> None:
    launched = launch_file("live", checkpoint=tmp_path / "absent.safetensors")
    launched.wait_for("absent.safetensors")
    launched.wait_for("distillnerf could not be configured")
    assert launched.interrupt() == 0


def test_nothing_stays_where_the_node_ends(launch_file: Callable[..., Any], bag: Path) -> None:
    launched = launch_file("nuscenes_bag", bag=bag, player="own", loop=True)
    launched.wait_for("[distillnerf_node-1]: process started")
    launched.wait_for("distillnerf_bag_player-2]: process started")
    node = next(child for child in launched.children() if "distillnerf_node" in " ".join(child.cmdline()))
    node.kill()
    assert launched.process.wait(40) in (0, 1)
    assert "the node has ended" in launched.text


def test_missing_parameters_and_wrong_choices_are_said(launch_file: Callable[..., Any], tmp_path: Path) -> None:
    missing = launch_file("live", params=tmp_path / "absent.yaml")
    assert missing.process.wait(60) == 1
    assert "there is no such file" in missing.text
    wrong = launch_file("live", log_level="loud")
    assert wrong.process.wait(60) == 1
    assert "loud" in wrong.text


def _protobuf_mcap() -> bytes:
    def record(kind: int, body: bytes) -> bytes:
        return bytes([kind]) + len(body).to_bytes(8, "little") + body

    def text(value: str) -> bytes:
        return len(value).to_bytes(4, "little") + value.encode()

    schema = (1).to_bytes(2, "little") + text("foxglove.CompressedImage") + text("protobuf") + bytes(4)
    channel = (1).to_bytes(2, "little") * 2 + text("/cam/image") + text("protobuf") + bytes(4)
    message = (1).to_bytes(2, "little") + bytes(4) + bytes(16) + b"data"
    records = [record(1, text("") + text("test")), record(3, schema), record(4, channel), record(5, message)]
    return MAGIC + b"".join(records) + MAGIC
