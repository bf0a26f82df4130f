import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from distillnerf_core.errors import DataError
from distillnerf_core.language.classes import CLASS_COLORS
from distillnerf_core.perception.export import occupied_points, write_image, write_result
from distillnerf_core.perception.results import DepthImages, PerceptionResult


def test_arrays_survive_the_disk(result: PerceptionResult, tmp_path: Path) -> None:
    assert result.depth is not None
    assert result.occupancy is not None
    write_result(tmp_path / "frame", result)
    depth = np.load(tmp_path / "frame" / "depth.npz")
    np.testing.assert_array_equal(depth["z_depth_m"], result.depth.z_depth_m.numpy())
    np.testing.assert_array_equal(depth["intrinsics"], result.depth.rig.intrinsics.numpy())
    assert depth["cameras"].tolist() == list(result.depth.rig.names)
    occupancy = np.load(tmp_path / "frame" / "occupancy.npz")
    np.testing.assert_array_equal(occupancy["labels"], result.occupancy.labels.numpy())
    assert occupancy["stamp_ns"] == result.stamp_ns


def test_depth_pictures_hold_millimetres(result: PerceptionResult, tmp_path: Path) -> None:
    assert result.depth is not None
    depth = torch.full_like(result.depth.z_depth_m, 12.345)
    depth[0, 0, :3] = torch.tensor([math.nan, math.inf, 1.0])
    write_result(tmp_path, replace(result, depth=DepthImages(depth, result.depth.rig)))
    image = cv2.imread(str(tmp_path / "depth_CAM_FRONT.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.dtype == np.uint16
    assert image[0, :4].tolist() == [0, 0, 1000, 12345]


def test_point_clouds_hold_every_occupied_voxel(result: PerceptionResult, tmp_path: Path) -> None:
    assert result.occupancy is not None
    write_result(tmp_path, result)
    header, body = (tmp_path / "occupancy.ply").read_bytes().split(b"end_header\n", 1)
    points = occupied_points(result.occupancy)
    assert f"element vertex {len(result.occupancy.occupied.index)}\n".encode() in header
    restored = np.frombuffer(body, dtype=points.dtype)
    assert np.array_equal(restored, points)
    x, y, z = result.occupancy.occupied.index[0].tolist()
    first = restored[0]
    assert first["label"] == int(result.occupancy.labels[x, y, z])
    assert (first["red"], first["green"], first["blue"]) == CLASS_COLORS[first["label"]]
    np.testing.assert_allclose([first["x"], first["z"]], [-40 + 0.4 * (x + 0.5), -1 + 0.4 * (z + 0.5)], atol=1e-5)


def test_red_stays_red(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    write_image(tmp_path / "red.png", red)
    stored = cv2.imread(str(tmp_path / "red.png"))
    assert stored is not None
    assert stored[0, 0].tolist() == [0, 0, 255]


def test_a_folder_that_cannot_be_written_is_a_clear_error(result: PerceptionResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        write_result(tmp_path / "file", result)
    with pytest.raises(DataError, match="cannot write"):
        write_image(tmp_path / "file" / "a.png", np.zeros((2, 2, 3), dtype=np.uint8))
