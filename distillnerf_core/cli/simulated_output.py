"""Writes simulated streets for `distillnerf simulate`: frames, nuScenes format, or a recording."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from distillnerf_core.simulation.street_options import StreetOptions

if TYPE_CHECKING:
    from distillnerf_core.data.simulated import SimulatedDataset
    from distillnerf_core.simulation.simulator import SimulationConfig

PREVIEW_FRAMES = 6


@dataclass(frozen=True)
class FrameSet:
    """Which frames a data set has.

    Attributes:
        scenes: Number of streets.
        frames_per_scene: Frames of each.
        other_views: Other views of each frame.
        preview: Whether to draw overview.png.
    """

    scenes: int
    frames_per_scene: int
    other_views: int
    preview: bool


@dataclass(frozen=True)
class DriveShape:
    """How a drive is recorded.

    Attributes:
        size: Height and width of the images.
        seconds: Length.
        rate_hz: Sweeps of the cameras each second.
        lidar: Whether there is a LiDAR.
        streets: Streets and cameras.
    """

    size: tuple[int, int]
    seconds: float
    rate_hz: float
    lidar: bool
    streets: StreetOptions

    @property
    def simulation(self) -> "SimulationConfig":
        """Size and quality of the images."""
        from distillnerf_core.simulation.simulator import SimulationConfig

        return SimulationConfig(height=self.size[0], width=self.size[1], supersampling=1)


def write_frames(folder: Path, seed: int, size: tuple[int, int], chosen: FrameSet, streets: StreetOptions) -> None:
    """Writes frames with all ground truth.

    Args:
        folder: Folder to begin or to go on with.
        seed: First street.
        size: Height and width of the images.
        chosen: Which frames.
        streets: Streets and cameras.

    Raises:
        DataError: If the folder holds another data set or cannot be written.
        ConfigurationError: If an option is out of its range.
    """
    from tqdm import tqdm

    from distillnerf_core.configuration import parse_config
    from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
    from distillnerf_core.simulation.style import StreetStyle

    values = {
        "scenes": chosen.scenes,
        "first_seed": seed,
        "frames_per_scene": chosen.frames_per_scene,
        "simulation": {"height": size[0], "width": size[1]},
        "style": streets.street_style(StreetStyle()),
        "other_views": chosen.other_views,
        "effects": streets.camera_effects(),
    }
    config = parse_config(values, DatasetConfig, "data set")
    total = chosen.scenes * chosen.frames_per_scene
    for _ in tqdm(write_dataset(folder, config), total=total, desc="simulate", unit="frame"):
        pass
    dataset = SimulatedDataset(folder)
    typer.echo(f"{folder}: {len(dataset)} frames of {size[1]} x {size[0]} pixels, six cameras each")
    if chosen.preview:
        typer.echo(f"look at {_draw_overview(folder, dataset)}")


def write_nuscenes_drives(folder: Path, seeds: Iterable[int], shape: DriveShape) -> None:
    """Writes drives in nuScenes format; those that are there already stay.

    Raises:
        DataError: If the folder cannot be written or holds something else.
        ConfigurationError: If an option is out of its range.
    """
    from distillnerf_core.data.nuscenes_splits import add_to_split
    from distillnerf_core.data.nuscenes_writer import NuScenesWriteConfig, write_nuscenes, written_scenes
    from distillnerf_core.data.simulated import HELD_OUT_SEED
    from distillnerf_core.data.simulated_drive import SimulatedDrive, SimulatedDriveConfig

    written = NuScenesWriteConfig(location="simulated", vehicle="simulated")
    default = SimulatedDriveConfig()
    config = SimulatedDriveConfig(
        seconds=shape.seconds,
        rate_hz=shape.rate_hz,
        key_rate_hz=min(shape.rate_hz, default.key_rate_hz),
        lidar_rate_hz=1 / written.rotation_s if shape.lidar else 0.0,
        simulation=shape.simulation,
        effects=shape.streets.camera_effects(),
        style=shape.streets.street_style(default.style),
    )
    for seed in seeds:
        drive = SimulatedDrive(config.model_copy(update={"seed": seed}))
        if drive.name in written_scenes(folder, written.version):
            typer.echo(f"{drive.name} is there already and stays as it is")
            continue
        done = write_nuscenes(drive, folder, written)
        add_to_split(folder, written.version, "train" if seed < HELD_OUT_SEED else "val", drive.name)
        typer.echo(
            f"{done.name}: {done.samples} samples, {done.images} images of {shape.size[1]} x {shape.size[0]} pixels, "
            f"{done.revolutions} LiDAR revolutions, {done.boxes} boxes"
        )
    typer.echo(f"{folder}: {len(written_scenes(folder, written.version))} scenes in nuScenes format, {written.version}")


def record(path: Path, seed: int, shape: DriveShape, overwrite: bool) -> None:
    """Records a drive as rosbag2.

    Raises:
        BagError: If the bag exists already or cannot be written.
        ConfigurationError: If an option is out of its range.
    """
    from tqdm import tqdm

    from distillnerf_core.data.simulated_bag import DriveConfig, record_drive, sweep_count
    from distillnerf_core.simulation.style import StreetStyle

    config = DriveConfig(
        seed=seed,
        seconds=shape.seconds,
        rate_hz=shape.rate_hz,
        lidar=shape.lidar,
        simulation=shape.simulation,
        effects=shape.streets.camera_effects(),
        style=shape.streets.street_style(StreetStyle()),
    )
    sweeps = 0
    for _ in tqdm(record_drive(path, config, overwrite), total=sweep_count(config), desc="record", unit="sweep"):
        sweeps += 1
    typer.echo(f"{path}: {sweeps} sweeps of six cameras, {shape.size[1]} x {shape.size[0]} pixels, street {seed}")
    typer.echo(f"next: distillnerf bag info {path}; distillnerf predict {path} --out predictions")


def _draw_overview(folder: Path, dataset: "SimulatedDataset") -> Path:
    import cv2
    import numpy as np

    from distillnerf_core.data.overview import frame_overview

    step = max(1, len(dataset) // PREVIEW_FRAMES)
    chosen = list(range(0, len(dataset), step))[:PREVIEW_FRAMES]
    picture = np.concatenate([frame_overview(dataset[index]) for index in chosen], axis=0)
    path = folder / "overview.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    return path
