"""The player, over DDS and as a command."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from distillnerf_core.errors import BagError, ConfigurationError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.mcap_check import MAGIC
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_ros.bag_player import main
from distillnerf_ros.playback import BagPlayer
from distillnerf_ros.playback_options import PlaybackOptions

START = 1_700_000_000_000_000_000
STEP = 100_000_000
COUNT = 11
IMAGES = "/CAM/image_rect_compressed"
LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second: a mount at its beginning, then images and poses at 10 Hz."""
    path = tmp_path_factory.mktemp("bag") / "drive.mcap"
    with BagWriter(path) as writer:
        writer.write_tf([StampedTransform("base_link", "CAM", START, np.eye(4))], START, static=True)
        for index in range(COUNT):
            stamp = START + index * STEP
            writer.write_tf([StampedTransform("map", "base_link", stamp, np.eye(4))], stamp)
            writer.write_compressed_image(IMAGES, stamp, "CAM", b"\xff\xd8" + bytes(2000))
    return path


class Listener:
    """What arrives on topics."""

    def __init__(self, domain: int) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("listener", context=self.context)
        self.received: dict[str, list[Any]] = {}
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def listen(self, topic: str, kind: Any, qos: Any = 100) -> None:
        messages = self.received.setdefault(topic, [])
        self.node.create_subscription(kind, topic, messages.append, qos)

    def steps(self, topic: str) -> list[int]:
        """Which of the recording's images arrived."""
        return [(stamp_ns(message.header) - START) // STEP for message in self.received[topic]]

    def wait_for(self, predicate: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not predicate():
            assert time.monotonic() < deadline, {topic: len(items) for topic, items in self.received.items()}
            time.sleep(0.01)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(10)
        self.node.destroy_node()
        self.context.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return


_DOMAINS = iter(range(1000))


@pytest.fixture
def domain() -> int:
    return 101 + (os.getpid() * 7 + next(_DOMAINS)) % 50


@pytest.fixture
def listener(domain: int) -> Iterator[Listener]:
    made = Listener(domain)
    yield made
    made.close()


@pytest.fixture
def play(listener: Listener, bag: Path) -> Iterator[Callable[..., int]]:
    """Plays the recording once with options."""
    node = rclpy.create_node("player", context=listener.context)

    def run(times: int = 1, pause_key: Callable[[], bool] = lambda: False, **options: Any) -> int:
        with BagReader(bag) as reader:
            player = BagPlayer(node, reader, PlaybackOptions(**options), pause_key)
            assert player.wait_for_subscribers(20.0) == []
            listener.wait_for(lambda: all(map(listener.node.count_publishers, listener.received)))
            return [player.play() for _ in range(times)][-1]

    yield run
    node.destroy_node()


def test_messages_and_clock_keep_their_spacing(listener: Listener, play: Callable[..., int]) -> None:
    for topic, kind in ((IMAGES, CompressedImage), ("/tf", TFMessage), ("/clock", Clock)):
        listener.listen(topic, kind)
    begun = time.monotonic()
    assert play(clock=True, rate=2.0) == 2 * COUNT + 1
    assert time.monotonic() - begun > 0.5
    listener.wait_for(lambda: len(listener.received[IMAGES]) == COUNT)
    assert listener.steps(IMAGES) == list(range(COUNT))
    assert bytes(listener.received[IMAGES][0].data) == b"\xff\xd8" + bytes(2000)
    times = [message.clock.sec * 10**9 + message.clock.nanosec for message in listener.received["/clock"]]
    assert len(times) > 20
    assert times == sorted(times)
    assert START <= times[0] < START + 2 * STEP
    assert START + 9 * STEP < times[-1] <= START + 12 * STEP


def test_a_part_is_played_and_static_transforms_from_before_it(listener: Listener, play: Callable[..., int]) -> None:
    listener.listen(IMAGES, CompressedImage)
    listener.listen("/tf_static", TFMessage, LATCHED)
    assert play(start_offset_s=0.35, duration_s=0.3, rate=5.0) == 7
    listener.wait_for(lambda: len(listener.received[IMAGES]) == 3 and listener.received["/tf_static"])
    assert listener.steps(IMAGES) == [4, 5, 6]


def test_late_subscribers_receive_static_transforms(listener: Listener, play: Callable[..., int]) -> None:
    assert play(rate=10.0, topics=("/tf_static",)) == 1
    listener.listen("/tf_static", TFMessage, LATCHED)
    listener.wait_for(lambda: listener.received["/tf_static"])
    assert listener.received["/tf_static"][0].transforms[0].child_frame_id == "CAM"


def test_topics_are_chosen_and_renamed(listener: Listener, play: Callable[..., int]) -> None:
    listener.listen("/front/compressed", CompressedImage)
    assert play(rate=10.0, topics=(IMAGES,), remaps={IMAGES: "/front/compressed"}) == COUNT
    listener.wait_for(lambda: len(listener.received["/front/compressed"]) == COUNT)
    assert not listener.node.count_publishers("/tf")


def test_a_loop_lets_the_clock_jump_back_once(listener: Listener, play: Callable[..., int]) -> None:
    listener.listen("/clock", Clock)
    listener.listen(IMAGES, CompressedImage)
    play(times=2, clock=True, rate=4.0)
    listener.wait_for(lambda: len(listener.received[IMAGES]) == 2 * COUNT)
    times = [message.clock.sec * 10**9 + message.clock.nanosec for message in listener.received["/clock"]]
    jumps = [later - earlier for earlier, later in pairwise(times) if later < earlier]
    assert len(jumps) == 1
    assert jumps[0] < -8 * STEP


def test_a_pause_holds_messages_and_clock(listener: Listener, play: Callable[..., int]) -> None:
    listener.listen(IMAGES, CompressedImage)
    presses = threading.Semaphore(0)
    playing = threading.Thread(target=lambda: play(pause_key=lambda: presses.acquire(blocking=False)))
    playing.start()
    listener.wait_for(lambda: len(listener.received[IMAGES]) >= 3)
    presses.release()
    time.sleep(0.25)
    held = len(listener.received[IMAGES])
    time.sleep(0.4)
    assert len(listener.received[IMAGES]) == held < COUNT
    presses.release()
    playing.join(20)
    listener.wait_for(lambda: len(listener.received[IMAGES]) == COUNT)


def test_options_that_do_not_fit_the_recording_are_refused(bag: Path, listener: Listener) -> None:
    with BagReader(bag) as reader:
        with pytest.raises(ConfigurationError, match=r"start offset 1\.5 s: .* ends after 1\.000 s"):
            BagPlayer(listener.node, reader, PlaybackOptions(start_offset_s=1.5))
        with pytest.raises(ConfigurationError, match="has no topic /absent; it has /CAM/image"):
            BagPlayer(listener.node, reader, PlaybackOptions(topics=("/absent",)))


def test_an_empty_recording_is_refused(tmp_path: Path, listener: Listener) -> None:
    with BagWriter(tmp_path / "empty.mcap"):
        pass
    with BagReader(tmp_path / "empty.mcap") as reader, pytest.raises(BagError, match="holds no message"):
        BagPlayer(listener.node, reader)


def test_a_cut_recording_is_played_to_where_it_is_cut(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "cut.mcap"
    with BagWriter(path) as writer:
        for index in range(COUNT):
            writer.write_compressed_image(IMAGES, START + index * STEP, "CAM", b"\xff\xd8" + bytes(500_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    listener.listen(IMAGES, CompressedImage)
    with BagReader(path) as reader:
        player = BagPlayer(listener.node, reader, PlaybackOptions(rate=5.0, duration_s=10.0))
        assert player.wait_for_subscribers(20.0) == []
        assert player.seconds == 10.0
        with pytest.raises(BagError, match="is cut or damaged"):
            player.play()
    listener.wait_for(lambda: len(listener.received[IMAGES]) == 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{bag}", "--rate", "0"], "rate: expected a number above 0"),
        (["{bag}", "--remap", "a=b"], "expected OLD:=NEW"),
        (["{bag}", "--pause"], "--pause: there is no terminal"),
        (["{folder}/absent.mcap"], "does not exist"),
        (["{folder}/foxglove.mcap"], "distillnerf bag convert"),
    ],
)
def test_mistakes_end_with_one_line_and_status_two(
    bag: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, arguments: list[str], words: str
) -> None:
    (tmp_path / "foxglove.mcap").write_bytes(_protobuf_mcap())
    assert main([text.format(bag=bag, folder=tmp_path) for text in arguments]) == 2
    assert words in caplog.text


def test_without_ros_the_command_says_what_is_missing(
    bag: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert main([str(bag)]) == 2
    assert f"{sys.executable} lacks rclpy" in caplog.text


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_player_at_once(bag: Path, listener: Listener, domain: int, sent: signal.Signals) -> None:
    listener.listen(IMAGES, CompressedImage)
    command = [sys.executable, "-m", "distillnerf_core.cli.main", "bag", "play", str(bag), "--loop", "--clock"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, start_new_session=True, text=True)
    try:
        listener.wait_for(lambda: len(listener.received[IMAGES]) > COUNT)
        begun = time.monotonic()
        process.send_signal(sent)
        assert process.wait(5) == 130
        assert time.monotonic() - begun < 2.0
    finally:
        process.kill()
        _, errors = process.communicate()
    assert "Traceback" not in errors


def _protobuf_mcap() -> bytes:
    def record(kind: int, body: bytes) -> bytes:
        return bytes([kind]) + len(body).to_bytes(8, "little") + body

    def text(value: str) -> bytes:
        return len(value).to_bytes(4, "little") + value.encode()

    schema = (1).to_bytes(2, "little") + text("foxglove.CompressedImage") + text("protobuf") + bytes(4)
    channel = (1).to_bytes(2, "little") * 2 + text("/cam/image") + text("protobuf") + bytes(4)
    message = (1).to_bytes(2, "little") + bytes(4) + START.to_bytes(8, "little") * 2 + b"data"
    records = [record(1, text("") + text("test")), record(3, schema), record(4, channel), record(5, message)]
    return MAGIC + b"".join(records) + MAGIC
