from pathlib import Path

import numpy as np
import pytest

from distillnerf_core.perception.ply import colored_vertices, write_ply

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], dtype=np.uint8)
TRIANGLES = np.array([[0, 2, 1], [0, 1, 3]])


def test_the_file_is_as_the_format_says(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", colored_vertices(POINTS, COLORS), TRIANGLES)
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    assert header.decode().splitlines() == [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 4",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        "element face 2",
        "property list uchar int vertex_indices",
    ]
    assert len(body) == 4 * (3 * 4 + 3) + 2 * (1 + 3 * 4)
    assert body[:15] == np.zeros(3, "<f4").tobytes() + bytes([255, 0, 0])
    assert body[60:73] == bytes([3]) + np.array([0, 2, 1], "<i4").tobytes()


def test_an_independent_reader_reads_it(tmp_path: Path) -> None:
    plyfile = pytest.importorskip("plyfile", reason="plyfile is not installed")
    write_ply(tmp_path / "a.ply", colored_vertices(POINTS, COLORS), TRIANGLES)
    read = plyfile.PlyData.read(tmp_path / "a.ply")
    np.testing.assert_array_equal(np.stack([read["vertex"][axis] for axis in "xyz"], axis=1), POINTS)
    np.testing.assert_array_equal(np.stack([read["vertex"][c] for c in ("red", "green", "blue")], axis=1), COLORS)
    np.testing.assert_array_equal(np.stack(read["face"]["vertex_indices"]), TRIANGLES)
