from pathlib import Path

import numpy as np
import pytest

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.protocol import TaughtView
from distillnerf_core.teachers.view_file import FARTHEST_M, read_views, write_views


def random_view(seed: int, height: int = 24, width: int = 40) -> TaughtView:
    """A smooth picture with holes, sky and far pixels."""
    generator = np.random.default_rng(seed)
    u, v = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pixels = (255 * np.stack((u, v, 0.5 * u + 0.5 * v), -1)).astype(np.uint8)
    distance = generator.uniform(0.5, 200.0, (height, width)).astype(np.float32)
    sky = generator.random((height, width)) < 0.2
    distance[sky | (generator.random((height, width)) < 0.1)] = np.nan
    return TaughtView(
        pixels, distance, sky, generator.random((height, width)).astype(np.float32), ~np.isnan(distance) | sky
    )


def test_a_round_trip_keeps_what_the_layout_promises(tmp_path: Path) -> None:
    views = {name: random_view(seed) for seed, name in enumerate(("original", "left"))}
    write_views(tmp_path / "a.zip", views)
    read = read_views(tmp_path / "a.zip")
    assert list(read) == ["original", "left"]
    for name, view in views.items():
        np.testing.assert_allclose(read[name].ray_distance_m, view.ray_distance_m, atol=0.00196, rtol=0)
        np.testing.assert_array_equal(read[name].sky, view.sky)
        np.testing.assert_array_equal(read[name].seen, view.seen)
        np.testing.assert_allclose(read[name].confidence, view.confidence, atol=0.5 / 255 + 1e-6)
        assert np.abs(read[name].pixels[view.seen].astype(int) - view.pixels[view.seen]).mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_what_is_beyond_the_code_is_unknown(tmp_path: Path) -> None:
    view = random_view(0)
    view.ray_distance_m[0, :3] = 0.0, FARTHEST_M, FARTHEST_M + 1.0
    write_views(tmp_path / "a.zip", {"original": view})
    distance = read_views(tmp_path / "a.zip")["original"].ray_distance_m
    np.testing.assert_array_equal(distance[0, :3], [np.nan, FARTHEST_M, np.nan])


def test_holes_do_not_disturb_the_colours_beside_them(tmp_path: Path) -> None:
    view = random_view(0)
    seen = np.ones_like(view.seen)
    seen[::2, ::3] = False
    pixels = np.full_like(view.pixels, 180)
    pixels[~seen] = 0
    write_views(tmp_path / "a.zip", {"left": TaughtView(pixels, view.ray_distance_m, view.sky, view.confidence, seen)})
    read = read_views(tmp_path / "a.zip")["left"]
    assert np.abs(read.pixels[seen].astype(int) - 180).max() <= 1


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_a_damaged_file_is_refused(tmp_path: Path, where: float) -> None:
    path = tmp_path / "a.zip"
    write_views(path, {"original": random_view(0)})
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_views(path)


def test_a_cut_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_views(path, {"original": random_view(0)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="teach again"):
        read_views(path)
    with pytest.raises(DataError, match="teach again"):
        read_views(tmp_path / "b.zip")
