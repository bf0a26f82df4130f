"""Data sets of simulated streets: a folder with one file for each frame and a description."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from distillnerf_core.configuration import Config
from distillnerf_core.data.frame_file import read_frame, write_frame
from distillnerf_core.errors import DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.other_views import OtherName, simulate_others
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, simulate_sweep
from distillnerf_core.simulation.style import StreetStyle

HELD_OUT_SEED = 100_000
"""Seeds below are for training; seeds from here on are for evaluation only."""
DATASET_FORMAT = "distillnerf-simulated-streets"
DATASET_VERSION = 1
DESCRIPTION = "dataset.json"
_OTHERS: tuple[OtherName, ...] = ("next", "left", "next", "right", "previous", "up")
"""Frames have one of these after the other."""


class DatasetConfig(Config):
    """What a data set of simulated streets holds.

    Attributes:
        scenes: Number of different streets.
        first_seed: Seed of the first street; the others follow.
        frames_per_scene: Frames of each street.
        frame_interval_s: Time between the frames of a street.
        simulation: Image size and quality.
        style: How streets are made.
        other_views: Other views of each frame: from 1 m aside, or half a second later or before.
        effects: Faults of the cameras, in the images only, those of other views included.
    """

    scenes: int = pydantic.Field(default=8, ge=1)
    first_seed: int = pydantic.Field(default=0, ge=0)
    frames_per_scene: int = pydantic.Field(default=1, ge=1)
    frame_interval_s: float = pydantic.Field(default=2.0, gt=0)
    simulation: SimulationConfig = SimulationConfig()
    style: StreetStyle = StreetStyle()
    other_views: int = pydantic.Field(default=0, ge=0, le=len(set(_OTHERS)))
    effects: CameraEffects = CameraEffects()


class SimulatedDataset:
    """Reads the frames that a folder holds, in order of seed and time."""

    def __init__(self, folder: Path) -> None:
        """Opens a data set, which may still be growing.

        Args:
            folder: Folder written by :func:`write_dataset`.

        Raises:
            DataError: If the folder is no data set of this version or holds no frames yet.
        """
        self.folder = folder
        self.config = _read_description(folder)
        self.paths = tuple(sorted(folder.glob("scene_*_frame_*.npz")))
        if not self.paths:
            raise DataError(f"{folder}: no frames yet; wait for `distillnerf simulate` or run it again")

    def __len__(self) -> int:
        """Returns the number of frames present when the data set was opened."""
        return len(self.paths)

    def __getitem__(self, index: int) -> SupervisedFrame:
        """Reads a frame.

        Raises:
            DataError: If its file is damaged.
            IndexError: If there is no such frame.
        """
        return read_frame(self.paths[index])

    def feature_key(self, index: int, camera: str, stamp_ns: int) -> str:
        """Returns the name of an image in a cache of features; streets begin at the same time, but have a file each."""
        return f"{camera}/{self.paths[index].stem}"

    def seed(self, index: int) -> int:
        """Returns the seed of the street of a frame."""
        return int(self.paths[index].stem.split("_")[1])


def write_dataset(folder: Path, config: DatasetConfig) -> Iterator[Path]:
    """Simulates and writes the frames that are not there yet; yields the path of each frame, old or new.

    Raises:
        DataError: If the folder holds another data set or cannot be written.
    """
    _describe(folder, config)
    for seed in range(config.first_seed, config.first_seed + config.scenes):
        paths = [folder / f"scene_{seed:06d}_frame_{number:02d}.npz" for number in range(config.frames_per_scene)]
        missing = [number for number, path in enumerate(paths) if not path.exists()]
        scene = sample_scene(seed, config.style) if missing else None
        for number, path in enumerate(paths):
            if scene is not None and number in missing:
                write_frame(path, _simulate(scene, number, config))
            yield path


def _simulate(scene: StreetScene, number: int, config: DatasetConfig) -> SupervisedFrame:
    start_ns = round(number * config.frame_interval_s * 1e9)
    first = scene.seed * config.frames_per_scene + number
    names = dict.fromkeys(_OTHERS[(first + turn) % len(_OTHERS)] for turn in range(len(_OTHERS)))
    others = tuple(
        simulate_others(scene, start_ns, name, config.simulation) for name in list(names)[: config.other_views]
    )
    sweep = replace(simulate_sweep(scene, start_ns, config.simulation), others=others)
    return sweep if config.effects == CameraEffects() else _with_faults(sweep, scene.seed, config.effects)


def _with_faults(sweep: SupervisedFrame, seed: int, effects: CameraEffects) -> SupervisedFrame:
    """Returns a frame as its cameras give it; each view of a camera has its own noise and the same exposure."""

    def apply(images: Float[Tensor, "cameras 3 height width"], view: int) -> Float[Tensor, "cameras 3 height width"]:
        pixels = (images * 255.0).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        stamps = sweep.frame.camera_stamps_ns
        taken = [effects.apply(pixels[camera], seed, camera, stamp + view) for camera, stamp in enumerate(stamps)]
        return torch.from_numpy(np.stack(taken)).permute(0, 3, 1, 2).to(images) / 255.0

    others = tuple(replace(views, images=apply(views.images, 1 + number)) for number, views in enumerate(sweep.others))
    return replace(sweep, frame=replace(sweep.frame, images=apply(sweep.frame.images, 0)), others=others)


def _describe(folder: Path, config: DatasetConfig) -> None:
    path = folder / DESCRIPTION
    if path.exists():
        present = _read_description(folder)
        same = ("first_seed", "frame_interval_s", "simulation", "style", "other_views", "effects")
        if any(getattr(present, name) != getattr(config, name) for name in same):
            raise DataError(f"{folder}: holds a data set with other settings; choose another folder or delete it")
    description: dict[str, Any] = {"format": DATASET_FORMAT, "version": DATASET_VERSION}
    description["config"] = config.model_dump(mode="json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}; choose another folder") from err


def _read_description(folder: Path) -> DatasetConfig:
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        kind, version = description["format"], description["version"]
        if kind != DATASET_FORMAT or version != DATASET_VERSION:
            raise DataError(
                f"{path}: format {kind!r} version {version}, expected {DATASET_FORMAT!r} version {DATASET_VERSION}"
            )
        return DatasetConfig.model_validate(description["config"])
    except OSError as err:
        raise DataError(f"{folder} is no data set ({err}); make one with `distillnerf simulate --out`") from err
    except (ValueError, KeyError, TypeError) as err:
        raise DataError(f"{path}: damaged description ({err}); make the data set again") from err
