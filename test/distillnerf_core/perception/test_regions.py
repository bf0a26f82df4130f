import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.perception.regions import find_regions

_VOXELS = st.sets(st.tuples(*(st.integers(0, 5) for _ in range(3))), max_size=40)


def _flood(voxels: set[tuple[int, int, int]]) -> list[set[tuple[int, int, int]]]:
    left, found = set(voxels), []
    while left:
        group, border = set(), [left.pop()]
        while border:
            here = border.pop()
            group.add(here)
            near = {other for other in left if max(abs(a - b) for a, b in zip(here, other, strict=True)) <= 1}
            left -= near
            border.extend(near)
        found.append(group)
    return found


@settings(deadline=None, max_examples=60)
@given(_VOXELS)
def test_regions_equal_a_flood_fill(voxels: set[tuple[int, int, int]]) -> None:
    index = np.array(sorted(voxels), dtype=np.int64).reshape(-1, 3)
    scores = np.linspace(0.5, 1.0, len(index)).astype(np.float32)
    by_voxel = dict(zip(map(tuple, index.tolist()), scores, strict=True))
    expected = [(len(group), float(np.mean([by_voxel[v] for v in group]))) for group in _flood(voxels)]
    found = [(region.voxel_count, region.score) for region in find_regions("car", index, scores, OCC3D_GRID)]
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-5)


def test_a_region_is_the_box_around_its_voxels() -> None:
    index = np.array([[100, 100, 2], [101, 100, 2], [102, 100, 3], [150, 10, 0]])
    scores = np.array([0.5, 0.7, 0.9, 0.99], dtype=np.float32)
    (region,) = find_regions("car", index, scores, OCC3D_GRID, min_voxels=2)
    assert region.text == "car"
    assert region.voxel_count == 3
    assert region.score == pytest.approx(0.7)
    assert region.center_m == pytest.approx((0.6, 0.2, 0.2))
    assert region.size_m == pytest.approx((1.2, 0.4, 0.8))
