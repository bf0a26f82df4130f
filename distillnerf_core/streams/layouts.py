"""Which topics carry which camera: presets for the bags that users have, and their recognition."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from distillnerf_core.configuration import Config, load_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.synchroniser import FRONT, SynchroniserConfig

PRESETS = ("nuscenes_upper", "nuscenes_lower", "nuscenes_raw", "dataset_bridge", "autoware")
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
DETECTION_TIME_NS = 10 * NANOSECONDS
RectifyMode = Literal["auto", "on", "off"]
_RECTIFIED_TOPIC = re.compile(r"(?:^|[/_])rect(?:ified)?(?:$|[/_])")
_WORD = "[A-Za-z_][A-Za-z0-9_]*"
_NAME = re.compile(_WORD)
_TOPIC = re.compile(f"(?:~?/)?{_WORD}(?:/{_WORD})*")
_NAMED_TOPIC = re.compile(f"/({_WORD})/image_rect_compressed")


class CameraTopics(Config):
    """Topics of one camera; its name is a part of the names of output topics, so that ROS rules count for it, too."""

    name: str = Field(description="Name of the camera in all outputs.")
    image_topic: str = Field(description="Topic of its Image or CompressedImage messages.")
    info_topic: str = Field(default="", description="Topic of its CameraInfo; empty: calibration file.")
    frame: str = Field(default="", description="Optical frame; empty: as in the header of its CameraInfo.")

    @model_validator(mode="after")
    def _follows_ros_names(self) -> "CameraTopics":
        allowed = "letters, digits and _ are allowed (A-Z, a-z), and a digit not at the beginning"
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"camera name {self.name!r}: {allowed}")
        for key, topic in (("image_topic", self.image_topic), ("info_topic", self.info_topic)):
            if not _TOPIC.fullmatch(topic) and (topic or key == "image_topic"):
                raise ValueError(f"camera {self.name}, {key} {topic!r}: in each part between slashes {allowed}")
        return self


class Layout(Config):
    """Topics and timing of a camera rig."""

    name: str = Field(default="custom", description="Name of the preset.")
    cameras: tuple[CameraTopics, ...] = Field(min_length=1, description="Cameras in the order of the outputs.")
    phases_ms: dict[str, float] = Field(default_factory=dict, description="Firing times within a sweep.")
    reference: str = Field(default="", description="Camera whose stamp is the time of a sweep.")
    rectified: bool | None = Field(
        default=None,
        description="Images are rectified: P counts, not K and D; absent: where the topic's name has a part 'rect'.",
    )
    use_receive_time: bool = Field(default=False, description="Stamps are not set: group by arrival.")

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names in order."""
        return tuple(camera.name for camera in self.cameras)

    def synchroniser_config(self, base: SynchroniserConfig) -> SynchroniserConfig:
        """Completes a synchroniser configuration with what the layout knows; set values of the base win."""
        return base.model_copy(
            update={
                "phases_ms": base.phases_ms or self.phases_ms,
                "reference": self.reference or FRONT if base.reference in ("", FRONT) else base.reference,
                "use_receive_time": base.use_receive_time or self.use_receive_time,
                "min_cameras": min(base.min_cameras, len(self.cameras)),
            }
        )

    def rectified_cameras(self, rectify: RectifyMode) -> dict[str, bool]:
        """Tells for each camera whether its images count as rectified.

        Args:
            rectify: "on": none does; else as the layout says, and where it does not, the names of the topics.
        """
        if rectify == "on":
            return dict.fromkeys(self.names, False)
        if self.rectified is not None:
            return dict.fromkeys(self.names, self.rectified)
        return {item.name: _RECTIFIED_TOPIC.search(item.image_topic) is not None for item in self.cameras}

    def select(self, cameras: Sequence[str]) -> "Layout":
        """Returns the layout of some of the cameras, in the layout's order; of all where none are named.

        Raises:
            ConfigurationError: If there is no camera of a name; lists those that there are.
        """
        unknown = [name for name in cameras if name not in self.names]
        if unknown:
            raise ConfigurationError(
                f"cameras: layout {self.name} has no camera {', '.join(unknown)}; it has {', '.join(self.names)}"
            )
        if not cameras:
            return self
        kept = tuple(item for item in self.cameras if item.name in cameras)
        names = [item.name for item in kept]
        phases = {name: phase for name, phase in self.phases_ms.items() if name in names}
        reference = self.reference if self.reference in names else ""
        return self.model_copy(update={"cameras": kept, "phases_ms": phases, "reference": reference})

    def topics(self) -> tuple[str, ...]:
        """All image and CameraInfo topics."""
        pairs = [(camera.image_topic, camera.info_topic) for camera in self.cameras]
        return tuple(topic for pair in pairs for topic in pair if topic)


def camera_frames(layout: Layout, overrides: Mapping[str, str]) -> dict[str, str]:
    """Returns the optical frame of each camera as configured, "" where its messages decide.

    Raises:
        ConfigurationError: If an override is for a camera that does not exist.
    """
    layout.select(tuple(overrides))
    return {item.name: overrides.get(item.name, item.frame) for item in layout.cameras}


def load_layout(name_or_path: str) -> Layout:
    """Loads a preset by name or a layout from a YAML file.

    Raises:
        ConfigurationError: If it is neither, or the file is invalid.
    """
    folder = resources.files("distillnerf_core.streams") / "presets"
    if name_or_path in PRESETS:
        with resources.as_file(folder / f"{name_or_path}.yaml") as path:
            return load_config(path, Layout)
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return load_config(path, Layout)
    if name_or_path == "custom":
        raise ConfigurationError(
            f"input preset 'custom': copy {folder / PRESETS[0]}.yaml, name your cameras and topics in the copy and "
            "give its path as the preset"
        )
    raise ConfigurationError(
        f"input preset {name_or_path!r}: expected auto, {', '.join(PRESETS)}, or the path of a YAML file"
    )


def detect_layout(topic_types: Mapping[str, str], presets: Sequence[str] = PRESETS) -> Layout | None:
    """Recognises the layout from topic names and types.

    Args:
        topic_types: Message type of each topic that was seen.
        presets: Names of the presets to try; the first wins among equals.

    Returns:
        The preset with the most image topics present, at least half of its cameras; else a layout of all topics
        named `/<camera>/image_rect_compressed`; None where nothing fits.
    """
    images = {topic for topic, kind in topic_types.items() if kind in IMAGE_TYPES}
    best, best_share = None, 0.0
    for layout in (load_layout(name) for name in presets):
        share = sum(camera.image_topic in images for camera in layout.cameras) / len(layout.cameras)
        if share >= 0.5 and share > best_share:
            best, best_share = layout, share
    return best or _named_by_topics(images)


def _named_by_topics(images: set[str]) -> Layout | None:
    names = sorted(match.group(1) for topic in images if (match := _NAMED_TOPIC.fullmatch(topic)))
    if not names:
        return None
    cameras = [
        CameraTopics(name=name, image_topic=f"/{name}/image_rect_compressed", info_topic=f"/{name}/camera_info")
        for name in names
    ]
    return Layout(name="by topic names", cameras=tuple(cameras))


def require_layout(preset: str, topic_types: Mapping[str, str]) -> Layout:
    """Loads the preset, or recognises it where the preset is "auto".

    Raises:
        ConfigurationError: If nothing is recognised; lists the image topics that are there.
    """
    if preset != "auto":
        return load_layout(preset)
    layout = detect_layout(topic_types)
    if layout is None:
        images = sorted(topic for topic, kind in topic_types.items() if kind in IMAGE_TYPES)
        raise ConfigurationError(
            f"no camera layout recognised among the image topics {images or 'none'}; copy a preset "
            f"({', '.join(PRESETS)}), name your topics in it and give its path as the preset"
        )
    return layout
