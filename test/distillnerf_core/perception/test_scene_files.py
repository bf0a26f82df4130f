from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.errors import DataError, QueryError
from distillnerf_core.geometry.transforms import invert_rigid
from distillnerf_core.perception.camera_colors import UNSEEN_COLOR, camera_colors
from distillnerf_core.perception.depth_points import depth_points
from distillnerf_core.perception.ply import VERTEX
from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.results import DepthImages, PerceptionResult
from distillnerf_core.perception.scene_files import (
    write_answer_files,
    write_array_files,
    write_mesh_files,
    write_point_files,
)


@pytest.fixture(scope="module")
def flat(result: PerceptionResult) -> PerceptionResult:
    """Every pixel 5 m ahead, but the first row sky."""
    assert result.depth is not None
    depth = torch.full_like(result.depth.z_depth_m, 5.0)
    depth[:, 0] = torch.inf
    depth[1] = torch.nan
    return replace(result, depth=DepthImages(depth, result.depth.rig))


def read_points(path: Path) -> Any:
    header, body = path.read_bytes().split(b"end_header\n", 1)
    count = int(header.decode().split("element vertex ")[1].split()[0])
    return np.frombuffer(body[: count * VERTEX.itemsize], VERTEX)


def test_points_fall_back_on_their_pixels(flat: PerceptionResult) -> None:
    points = depth_points(flat)
    assert flat.depth is not None
    height, width = flat.depth.z_depth_m.shape[1:]
    assert len(points.points_m) == 2 * (height - 1) * width
    assert set(points.cameras.tolist()) == {0, 2}
    rig = flat.depth.rig
    chosen = points.cameras == 2
    pose = invert_rigid(rig.camera_to_ego[2]).numpy()
    local = points.points_m[chosen] @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(local[:, 2], 5.0, atol=1e-4)
    pixels = local @ rig.intrinsics[2].numpy().T
    rows, columns = np.mgrid[1:height, 0:width]
    expected = np.stack((columns, rows), axis=-1).reshape(-1, 2) + 0.5
    np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], expected, atol=1e-3)


def test_a_frame_without_depth_is_refused(result: PerceptionResult) -> None:
    with pytest.raises(QueryError, match=r"Output\.DEPTH"):
        depth_points(replace(result, depth=None))
    with pytest.raises(DataError, match=r"Output\.OCCUPANCY"):
        write_point_files(Path("nowhere"), replace(result, occupancy=None))


def test_cameras_colour_what_they_see_and_nothing_behind_it(flat: PerceptionResult) -> None:
    red = torch.zeros_like(flat.frame.images)
    red[0, 0] = 1.0
    frame = replace(flat, frame=replace(flat.frame, images=red))
    points = torch.tensor([[5.0, 0.0, 1.5], [5.2, 0.0, 1.5], [9.0, 0.0, 1.5], [0.0, 0.0, 40.0], [-5.0, 0.0, 1.5]])
    colors = camera_colors(frame, points, margin_m=0.5).tolist()
    assert colors == [[255, 0, 0], [255, 0, 0], list(UNSEEN_COLOR), list(UNSEEN_COLOR), [0, 0, 0]]


def test_files_hold_points_cubes_and_arrays(flat: PerceptionResult, tmp_path: Path) -> None:
    assert flat.occupancy is not None
    files = {path.name: path for path in write_point_files(tmp_path / "new", flat)}
    assert set(files) == {"points_camera.ply", "points_class.ply", "occupancy.ply", "voxels_class.ply"}
    points = depth_points(flat)
    by_class = read_points(files["points_class.ply"])
    np.testing.assert_array_equal(by_class["x"], points.points_m[:, 0])
    palette = flat.classes.labels.palette()
    np.testing.assert_array_equal(by_class["green"], palette[points.labels][:, 1])
    cubes = read_points(files["voxels_class.ply"])
    known = {tuple(color) for color in flat.occupancy.classes.colors}
    assert {tuple(int(cube[name]) for name in ("red", "green", "blue")) for cube in cubes[:: len(cubes) // 50]} <= known

    arrays = {path.name: path for path in write_array_files(tmp_path / "new", flat)}
    stored = np.load(arrays["points.npz"])
    np.testing.assert_array_equal(stored["points_m"], points.points_m)
    assert stored["camera_names"].tolist() == list(flat.frame.rig.names)
    assert {"labels", "density", "confidence"} <= set(np.load(arrays["occupancy.npz"]).files)


def test_a_mesh_is_written_twice(flat: PerceptionResult, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="scikit-image (extra mesh) is not installed")
    by_class, by_camera = (read_points(path) for path in write_mesh_files(tmp_path, flat, 1.2))
    assert len(by_class) > 0
    np.testing.assert_array_equal(by_class["x"], by_camera["x"])
    assert (by_class["red"] != by_camera["red"]).any()


def test_answers_hold_what_was_found(tmp_path: Path) -> None:
    centers = torch.arange(12.0).view(4, 3)
    scores = torch.tensor([[0.1, 0.5, 0.9, 0.2], [0.0, 0.0, 0.0, 0.3]])
    count = (scores >= 0.4).sum(dim=1)
    answer = QueryResult(("car", "tree"), 0.4, centers, scores, scores.amax(dim=1), count, ())
    files = write_answer_files(tmp_path, answer, ply=True, npz=True)
    assert [path.name for path in files] == ["query_0.ply", "query_1.ply", "query.npz"]
    assert read_points(files[0])["x"].tolist() == [3.0, 6.0]
    assert len(read_points(files[1])) == 0
    stored: Any = np.load(files[2])
    assert stored["texts"].tolist() == ["car", "tree"]
    np.testing.assert_array_equal(stored["scores"], scores.numpy())
    assert write_answer_files(tmp_path, answer, ply=False, npz=False) == []


def test_a_folder_that_cannot_be_written_is_a_clear_error(flat: PerceptionResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        write_point_files(tmp_path / "file", flat)
