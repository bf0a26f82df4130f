"""Converts Foxglove's protobuf recordings, such as nuscenes2mcap's, to bags that ROS 2 plays."""

import itertools
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distillnerf_core.errors import BagError
from distillnerf_core.streams import foxglove_messages
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.mcap_scan import McapScanner
from distillnerf_core.streams.message_factory import MessageFactory
from distillnerf_core.streams.message_fields import NANOSECONDS
from distillnerf_core.streams.protobuf_schema import ProtobufSchema
from distillnerf_core.streams.stamped_transform import StampedTransform
from distillnerf_core.streams.transform_edge import TransformEdge

_DENSE_STEP_NS = NANOSECONDS // 50
_MAX_GAP_NS = 2 * NANOSECONDS
_CONVERSIONS: dict[str, tuple[str, Callable[[MessageFactory, dict[str, Any]], Any]]] = {
    "foxglove.CompressedImage": ("sensor_msgs/msg/CompressedImage", foxglove_messages.compressed_image),
    "foxglove.CameraCalibration": ("sensor_msgs/msg/CameraInfo", foxglove_messages.camera_info),
    "foxglove.PointCloud": ("sensor_msgs/msg/PointCloud2", foxglove_messages.point_cloud),
}
_DAMAGE = (ValueError, KeyError, TypeError, StopIteration, struct.error, AttributeError, RecursionError, OverflowError)
_TRANSFORMS = ("foxglove.FrameTransform", "foxglove.FrameTransforms")


@dataclass(frozen=True)
class ConvertSummary:
    """What was converted.

    Attributes:
        written: Number of messages by ROS type.
        skipped: Number of messages by protobuf type that has no counterpart here.
    """

    written: dict[str, int]
    skipped: dict[str, int]


@dataclass(frozen=True)
class _Decoded:
    topic: str
    kind: str
    log_ns: int
    values: dict[str, Any]


def convert_bag(source: Path, target: Path, *, overwrite: bool = False) -> ConvertSummary:
    """Writes images, calibrations, transforms and point clouds of a protobuf MCAP file as a rosbag2 recording.

    Singular rectification matrices are repaired, transforms that never change go to /tf_static, and moving ones are
    interpolated to 50 Hz, so that a live node never waits for the next key frame.

    Args:
        source: MCAP file with protobuf channels.
        target: .mcap, .db3 or folder to write.
        overwrite: Replace an existing target.

    Raises:
        BagError: If the source is cut, damaged or no protobuf recording, or the target cannot be written.
    """
    written: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    with BagWriter(target, overwrite=overwrite) as bag:
        for item in _transform_messages(source):
            static = item[1]
            bag.write_tf([item[0]], item[0].stamp_ns, static=static)
            written["tf2_msgs/msg/TFMessage"] += 1
        for message in _decoded(source):
            if message.kind in _CONVERSIONS:
                ros_type, convert = _CONVERSIONS[message.kind]
                try:
                    bag.write(message.topic, ros_type, convert(bag.messages, message.values), message.log_ns)
                except _DAMAGE as err:
                    raise BagError(f"{source}: cannot convert a {message.kind} on {message.topic}: {err!r}") from err
                written[ros_type] += 1
            elif message.kind not in _TRANSFORMS:
                skipped[message.kind] += 1
    return ConvertSummary(dict(written), dict(skipped))


def _decoded(source: Path) -> Iterator[_Decoded]:
    scanner = McapScanner(source)
    schemas: dict[str, ProtobufSchema] = {}
    for channel, log_ns, data in scanner.messages():
        if channel.encoding != "protobuf":
            raise BagError(f"{source}: {channel.topic} is {channel.encoding}, not protobuf; nothing to convert")
        kind = channel.message_type
        try:
            if kind not in schemas:
                schemas[kind] = ProtobufSchema(channel.schema, kind)
            known = kind in _CONVERSIONS or kind in _TRANSFORMS
            yield _Decoded(channel.topic, kind, log_ns, schemas[kind].decode(data) if known else {})
        except _DAMAGE as err:
            raise BagError(f"{source}: damaged {kind} on {channel.topic} at {log_ns} ns: {err}") from err
    if scanner.cut:
        raise BagError(f"{source} is cut or damaged; repair it first with `mcap recover`")


def _transform_messages(source: Path) -> list[tuple[StampedTransform, bool]]:
    """Collects (transform, static) in the order of time, static ones first."""
    history: dict[tuple[str, str], list[StampedTransform]] = {}
    first_ns = None
    for message in _decoded(source):
        first_ns = message.log_ns if first_ns is None else min(first_ns, message.log_ns)
        if message.kind not in _TRANSFORMS:
            continue
        try:
            for item in foxglove_messages.transforms(message.values):
                history.setdefault((item.parent, item.child), []).append(item)
        except _DAMAGE as err:
            raise BagError(f"{source}: damaged {message.kind} on {message.topic} at {message.log_ns} ns") from err
    static, moving = [], []
    for items in history.values():
        first = items[0]
        if len(items) > 1 and all(np.allclose(item.matrix, first.matrix, atol=1e-9) for item in items):
            static.append(StampedTransform(first.parent, first.child, first_ns or 0, first.matrix))
        else:
            moving += _dense(items)
    moving.sort(key=lambda item: item.stamp_ns)
    return [(item, True) for item in static] + [(item, False) for item in moving]


def _dense(items: list[StampedTransform]) -> list[StampedTransform]:
    """Adds interpolated poses between those that are up to two seconds apart."""
    items = sorted(items, key=lambda item: item.stamp_ns)
    edge = TransformEdge(items[0].parent, items[0].child, static=False)
    for item in items:
        edge.insert(item.stamp_ns, item.matrix, history_ns=2**62)
    stamps = {item.stamp_ns for item in items}
    for before, after in itertools.pairwise(items):
        if after.stamp_ns - before.stamp_ns <= _MAX_GAP_NS:
            stamps.update(range(before.stamp_ns, after.stamp_ns, _DENSE_STEP_NS))
    return [StampedTransform(edge.parent, edge.child, stamp, edge.at(stamp, 0, 2**62)) for stamp in sorted(stamps)]
