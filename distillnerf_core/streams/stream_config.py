"""Configuration of the way from messages to frames; imports neither torch nor OpenCV, for nodes that start early."""

from typing import Literal

from pydantic import Field

from distillnerf_core.configuration import Config
from distillnerf_core.streams.layouts import RectifyMode
from distillnerf_core.streams.synchroniser import SynchroniserConfig


class TransformConfig(Config):
    """Limits of the transform buffer."""

    history_s: float = Field(default=10.0, gt=0, le=600.0, description="How long moving transforms are kept.")
    tolerance_s: float = Field(
        default=0.06, ge=0, le=10.0, description="How far beyond the known transforms an answer may lie."
    )
    max_gap_s: float = Field(default=2.0, gt=0, le=60.0, description="Longest gap that interpolation bridges.")
    backward_jump_s: float = Field(
        default=1.0,
        gt=0,
        le=60.0,
        description="A step back in time by more than this clears moving transforms.",
    )
    max_frames: int = Field(
        default=1000, ge=10, le=100_000, description="Most frames to remember; transforms of further ones are refused."
    )


class MotionConfig(Config):
    """How the motion between the exposures of a sweep is compensated."""

    base_frame: str = Field(default="base_link", description="Body frame that outputs are in.")
    fixed_frame: str = Field(
        default="auto", description="Frame that does not move; auto: the first of odom, map, world."
    )
    motion_compensation: Literal["auto", "on", "off"] = Field(
        default="auto", description="auto: static extrinsics, flagged, where transforms in time are missing."
    )
    timeout_s: float = Field(default=0.2, ge=0, le=10.0, description="Wait for transforms of a sweep.")
    extrapolation_s: float = Field(
        default=1.0, ge=0, le=5.0, description="Constant velocity is assumed this long when transforms lag."
    )


class InputOptions(Config):
    """Cameras, their calibration and what of their images is used."""

    preset: str = Field(
        default="auto",
        description="Topics of the cameras: auto (looks at topic names and types for 10 s), nuscenes_upper, "
        "nuscenes_lower, nuscenes_raw, dataset_bridge, autoware, or the path of a YAML file",
    )
    calibration_file: str = Field(default="", description="JSON file with calibrations for cameras without CameraInfo")
    camera_frames: dict[str, str] = Field(
        default_factory=dict,
        description="Optical frames of cameras, CAMERA=FRAME, for messages that name none or a wrong one",
    )
    rectify: RectifyMode = Field(
        default="auto",
        description="Removal of lens distortion by K and D. auto: from images that neither the layout nor, where that "
        "does not say, a part 'rect' of the topic's name calls rectified; on: from all; off: from none",
    )
    max_fov_deg: float = Field(
        default=110.0, ge=30, le=150, description="Widest pinhole image that a fisheye is rectified to, degrees"
    )
    ego_mask_dir: str = Field(
        default="",
        description="Folder of images <camera>.png of any size, white where the camera sees the robot itself; what "
        "those pixels show is left out",
    )
    max_image_pixels: int = Field(default=64_000_000, ge=1, le=1_000_000_000, description="Larger images are refused")


class StreamConfig(InputOptions):
    """Everything between messages and frames."""

    cameras: tuple[str, ...] = Field(default=(), description="Cameras of the layout to use; none named: all")
    synchroniser: SynchroniserConfig = Field(default_factory=SynchroniserConfig, description="Grouping of images.")
    transforms: TransformConfig = Field(default_factory=TransformConfig, description="Transform buffer.")
    motion: MotionConfig = Field(default_factory=MotionConfig, description="Motion compensation.")
