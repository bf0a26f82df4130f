"""When each camera of a recording fires within a sweep."""

from pathlib import Path

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.layouts import require_layout
from distillnerf_core.streams.message_fields import stamp_ns
from distillnerf_core.streams.phase_estimation import estimate_phases


def phases_of_bag(path: Path | str, preset: str = "auto") -> dict[str, float]:
    """Estimates the phases from the stamps of all images, milliseconds; the earliest camera is at 0.

    Args:
        path: rosbag2 folder, .mcap or .db3.
        preset: Camera layout: auto, a preset's name or a YAML file.

    Raises:
        BagError: If the recording cannot be read, or its images carry no stamps.
        ConfigurationError: If the layout is not recognised.
    """
    with BagReader(path) as reader:
        layout = require_layout(preset, reader.topic_types())
        names = {camera.image_topic: camera.name for camera in layout.cameras}
        stamps: dict[str, list[int]] = {name: [] for name in layout.names}
        for item in reader.messages(names):
            if stamp := stamp_ns(item.message.header):
                stamps[names[item.topic]].append(stamp)
    reference = layout.reference if stamps.get(layout.reference) else max(stamps, key=lambda name: len(stamps[name]))
    phases = estimate_phases({name: sorted(times) for name, times in stamps.items()}, reference)
    if not phases:
        raise BagError(f"{path}: no image of {', '.join(layout.names)} carries a stamp; use sync.use_receive_time")
    first = min(phases.values())
    return {name: phases[name] - first for name in sorted(phases, key=lambda name: phases[name])}
