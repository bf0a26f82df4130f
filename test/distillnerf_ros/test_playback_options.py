import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_ros.playback_options import PlaybackOptions, parse_remaps

TYPES = {"/a": "sensor_msgs/msg/Image", "/b": "tf2_msgs/msg/TFMessage", "/clock": "rosgraph_msgs/msg/Clock"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": 0.0}, "rate: expected a number above 0, got 0"),
        ({"rate": -1.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"start_offset_s": -1.0}, "start offset"),
        ({"duration_s": 0.0}, "duration"),
    ],
)
def test_numbers_without_sense_are_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        PlaybackOptions(**values)  # type: ignore[arg-type]


def test_topics_are_chosen_and_unknown_ones_are_named_with_those_there_are() -> None:
    assert PlaybackOptions().chosen(TYPES, "bag") == TYPES
    assert list(PlaybackOptions(topics=("/b",)).chosen(TYPES, "bag")) == ["/b"]
    assert list(PlaybackOptions(clock=True).chosen(TYPES, "bag")) == ["/a", "/b"]
    with pytest.raises(ConfigurationError, match=r"bag has no topic /c; it has /a, /b, /clock"):
        PlaybackOptions(topics=("/c",)).chosen(TYPES, "bag")


def test_remap_rules_are_read() -> None:
    assert parse_remaps(["/a:=/x/y", "b:=z"]) == {"/a": "/x/y", "/b": "z"}
    for wrong in ("/a=/b", "/a:=", ":=/b", "/a b:=/c", "/a:=/1"):
        with pytest.raises(ConfigurationError, match="expected OLD:=NEW"):
            parse_remaps([wrong])
