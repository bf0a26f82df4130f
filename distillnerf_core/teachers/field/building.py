"""Builds the field of a drive: its box, and the moving part that the drive's labels allow."""

import numpy as np

from distillnerf_core.data.drive import Drive
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.teachers.field.box_poses import BoxPoses
from distillnerf_core.teachers.field.config import FieldConfig
from distillnerf_core.teachers.field.drive_rays import DriveReturns, FieldFrame
from distillnerf_core.teachers.field.drive_split import DriveSplit
from distillnerf_core.teachers.field.neural_field import NeuralField
from distillnerf_core.teachers.field.parts import BoxPart, TimePart
from distillnerf_core.teachers.field.scene_box import SceneBox, box_of_cameras, box_of_points

_BOX_POINTS = 1_000_000


def build_field(
    drive: Drive, split: DriveSplit, frame: FieldFrame, returns: DriveReturns | None, config: FieldConfig
) -> NeuralField:
    """Builds a field with random weights."""
    box = scene_box(split, frame, returns)
    return NeuralField(box, len(split.images), config, _moving_part(drive, frame, box, config))


def scene_box(split: DriveSplit, frame: FieldFrame, returns: DriveReturns | None) -> SceneBox:
    """Returns the box around the LiDAR returns and the cameras' path, or around the path where there are none."""
    path = frame.points(np.stack([image.camera_to_world[:3, 3] for image in split.images]))
    if returns is None:
        return box_of_cameras(path)
    step = max(1, len(returns.points_m) // _BOX_POINTS)
    return box_of_points(returns.points_m[::step].numpy()).including(path)


def _moving_part(drive: Drive, frame: FieldFrame, box: SceneBox, config: FieldConfig) -> BoxPart | TimePart | None:
    moving = [track for track in drive.tracks if track.moves]
    kind = config.moving
    if kind == "auto":
        kind = "boxes" if moving else ("none" if drive.tracks else "time")
    if kind == "boxes" and not moving:
        raise ConfigurationError(f"field.moving is 'boxes', but in {drive.name} no labelled object moves; use 'auto'")
    if kind == "boxes":
        return BoxPart(BoxPoses(moving, frame.field_from_world, frame.start_ns, config.box_scale), config)
    if kind == "time":
        return TimePart(box, frame.duration_s, len(drive.sweep_stamps_ns), config)
    return None
