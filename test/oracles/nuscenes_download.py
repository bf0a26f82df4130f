"""Writes a tiny nuScenes download in the format of the real tables."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

START_US = 1_532_402_927_612_460
PHASES_US = {
    "CAM_FRONT_LEFT": 0,
    "CAM_FRONT": 7_600,
    "CAM_FRONT_RIGHT": 15_500,
    "CAM_BACK_RIGHT": 23_000,
    "CAM_BACK": 32_700,
    "CAM_BACK_LEFT": 42_600,
}
SPEED_M_S = 10.0
OBJECT_SPEED_M_S = 4.0
OBJECTS = {"car": ("vehicle.car", (1.9, 4.6, 1.7)), "person": ("human.pedestrian.adult", (0.6, 0.7, 1.8))}
"""Category and size (width, length, height) of each instance; the person is labelled in the first two glances."""
K = [[40.0, 0.0, 32.0], [0.0, 40.0, 18.0], [0.0, 0.0, 1.0]]


def mount(index: int) -> dict[str, list[float]]:
    """Translation and rotation (w x y z) of a sensor: axes of a camera, turned by its number."""
    half = 0.15 * index
    return {"translation": [1.0 + 0.1 * index, 0.0, 1.5], "rotation": [math.cos(half), 0.0, 0.0, math.sin(half)]}


def write_download(root: Path, scenes: tuple[str, ...] = ("scene-0061", "scene-0103"), glances: int = 4) -> None:
    """Writes `glances` times 0.5 s of each scene: six cameras at 12 Hz, LiDAR at 20 Hz, a radar without files."""
    names = ["scene", "sample", "sample_data", "ego_pose", "sensor", "calibrated_sensor"]
    names += ["category", "instance", "sample_annotation"]
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for category in ("human.pedestrian.adult", "vehicle.car"):
        tables["category"].append({"token": f"category-{category}", "name": category, "description": ""})
    channels = [*PHASES_US, "LIDAR_TOP", "RADAR_FRONT"]
    for index, channel in enumerate(channels):
        modality = {"C": "camera", "L": "lidar", "R": "radar"}[channel[0]]
        tables["sensor"].append({"token": f"sensor{index}", "channel": channel, "modality": modality})
        intrinsic = K if modality == "camera" else []
        row = {
            "token": f"mount{index}",
            "sensor_token": f"sensor{index}",
            **mount(index),
            "camera_intrinsic": intrinsic,
        }
        tables["calibrated_sensor"].append(row)
    for number, name in enumerate(scenes):
        tables["scene"].append({"token": f"token-{name}", "name": name, "log_token": "", "nbr_samples": glances})
        for glance in range(glances):
            start = START_US + number * 10**8 + glance * 500_000
            sample = f"{name}-{glance}"
            tables["sample"].append({"token": sample, "timestamp": start, "scene_token": f"token-{name}"})
            _annotate(tables, name, glance)
            for index, channel in enumerate(channels):
                rate = 12 if channel.startswith("CAM") else 20
                for step in range(rate // 2):
                    stamp = start + PHASES_US.get(channel, 3_000) + round(step * 1e6 / rate)
                    _add(tables, root, sample, (index, channel), stamp, step == 0)
    folder = root / "v1.0-mini"
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=0))


def _annotate(tables: dict[str, list[dict[str, Any]]], scene: str, glance: int) -> None:
    """The car drives to the left, turning by 0.1 rad each glance; the person stands 5 m in front of the start."""
    for kind, (category, size) in OBJECTS.items():
        instance = f"{scene}-{kind}"
        if glance == 0:
            tables["instance"].append({"token": instance, "category_token": f"category-{category}"})
        if kind == "person" and glance > 1:
            continue
        half, place = (0.05 * glance, [20.0, 0.5 * OBJECT_SPEED_M_S * glance, 0.8])
        tables["sample_annotation"].append(
            {
                "token": f"{instance}-{glance}",
                "sample_token": f"{scene}-{glance}",
                "instance_token": instance,
                "translation": place if kind == "car" else [5.0, 0.0, 0.9],
                "rotation": [math.cos(half), 0.0, 0.0, math.sin(half)] if kind == "car" else [1.0, 0.0, 0.0, 0.0],
                "size": list(size),
            }
        )


def _add(
    tables: dict[str, list[dict[str, Any]]],
    root: Path,
    sample: str,
    sensor: tuple[int, str],
    stamp: int,
    key_frame: bool,
) -> None:
    index, channel = sensor
    suffix = {"C": "jpg", "L": "pcd.bin", "R": "pcd"}[channel[0]]
    file = f"{'samples' if key_frame else 'sweeps'}/{channel}/n008__{channel}__{stamp}.{suffix}"
    token = f"{channel}-{stamp}"
    shift = SPEED_M_S * (stamp - START_US) * 1e-6
    tables["ego_pose"].append(
        {"token": token, "timestamp": stamp, "rotation": [1.0, 0.0, 0.0, 0.0], "translation": [shift, 0.0, 0.0]}
    )
    tables["sample_data"].append(
        {
            "token": token,
            "sample_token": sample,
            "ego_pose_token": token,
            "calibrated_sensor_token": f"mount{index}",
            "timestamp": stamp,
            "fileformat": suffix[:3],
            "is_key_frame": key_frame,
            "height": 36 if suffix == "jpg" else 0,
            "width": 64 if suffix == "jpg" else 0,
            "filename": file,
            "prev": "",
            "next": "",
        }
    )
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == "jpg":
        cv2.imwrite(str(path), np.full((36, 64, 3), 20 * index, np.uint8))
    elif suffix == "pcd.bin":
        np.arange(50, dtype="<f4").tofile(path)
