"""How a recording is played. Imports no ROS, so that the command line can explain itself without it."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from distillnerf_core.errors import ConfigurationError

_TOPIC = re.compile(r"/?[A-Za-z~{][\w{}~]*(/[A-Za-z_{][\w{}]*)*")


@dataclass(frozen=True)
class PlaybackOptions:
    """What is played, how fast and how often.

    Attributes:
        rate: Speed; 2 is twice as fast.
        clock: Publish the recording's time on /clock.
        start_offset_s: Seconds of the recording to leave out; latched messages from before are published all the same.
        duration_s: Seconds of the recording to play; None: to its end.
        topics: Topics to play; empty: all.
        remaps: New name of topics.

    Raises:
        ConfigurationError: If a number makes no sense or a name is no topic name.
    """

    rate: float = 1.0
    clock: bool = False
    start_offset_s: float = 0.0
    duration_s: float | None = None
    topics: Collection[str] = ()
    remaps: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ConfigurationError(f"rate: expected a number above 0, got {self.rate:g}; 1 is the original speed")
        if not (math.isfinite(self.start_offset_s) and self.start_offset_s >= 0):
            raise ConfigurationError(f"start offset: expected seconds, 0 or more, got {self.start_offset_s:g}")
        if self.duration_s is not None and not self.duration_s > 0:
            raise ConfigurationError(f"duration: expected seconds, more than 0, got {self.duration_s:g}")

    def chosen(self, topic_types: Mapping[str, str], source: str) -> dict[str, str]:
        """Returns the message types of the topics to play.

        Args:
            topic_types: Message type of each topic of the recording.
            source: Name of the recording, for messages.

        Raises:
            ConfigurationError: If a topic that was asked for is not in the recording.
        """
        missing = sorted({*self.topics, *self.remaps} - set(topic_types))
        if missing:
            raise ConfigurationError(
                f"{source} has no topic {', '.join(missing)}; it has {', '.join(sorted(topic_types)) or 'none'}"
            )
        chosen = {topic: kind for topic, kind in topic_types.items() if not self.topics or topic in self.topics}
        if self.clock:
            chosen.pop("/clock", None)
        return chosen


def parse_remaps(texts: Sequence[str]) -> dict[str, str]:
    """Reads rules OLD:=NEW.

    Raises:
        ConfigurationError: If a text is no such rule.
    """
    rules = {}
    for text in texts:
        old, separator, new = text.partition(":=")
        if not separator or not _TOPIC.fullmatch(old) or not _TOPIC.fullmatch(new):
            raise ConfigurationError(f"remap: expected OLD:=NEW with topic names, such as /a:=/b, got {text!r}")
        rules[old if old.startswith("/") else f"/{old}"] = new
    return rules
