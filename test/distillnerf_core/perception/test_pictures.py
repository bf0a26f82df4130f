from dataclasses import replace

import numpy as np
import pytest

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import OCC3D_GRID
from distillnerf_core.language.classes import CLASS_COLORS, SKY_COLOR
from distillnerf_core.perception.pictures.birds_eye import birds_eye
from distillnerf_core.perception.pictures.chase_view import ChaseCamera, chase_view
from distillnerf_core.perception.pictures.colors import (
    BACKGROUND,
    INVALID_COLOR,
    blend_heat,
    color_depth,
    color_labels,
    color_scores,
)
from distillnerf_core.perception.pictures.overview import QueryPicture, draw_overview
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import PerceptionResult

_RED = np.array([[250, 0, 0]], dtype=np.uint8)


def test_labels_have_the_colours_of_the_taxonomy() -> None:
    image = color_labels(np.array([[0, 4, 17, 255]], dtype=np.uint8))
    assert [tuple(pixel) for pixel in image[0].tolist()] == [
        CLASS_COLORS[0],
        CLASS_COLORS[4],
        SKY_COLOR,
        INVALID_COLOR,
    ]


def test_depth_goes_from_warm_to_cold_and_marks_sky_and_holes() -> None:
    image = color_depth(np.array([[2.0, 55.0, np.inf, np.nan]], dtype=np.float32), 60.0)
    near, far = image[0, 0].astype(int), image[0, 1].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert tuple(image[0, 2].tolist()) == SKY_COLOR
    assert tuple(image[0, 3].tolist()) == INVALID_COLOR


def test_scores_get_brighter() -> None:
    brightness = color_scores(np.linspace(0, 1, 5, dtype=np.float32)).astype(int).sum(axis=1)
    assert bool((np.diff(brightness) > 0).all())


def test_heat_leaves_the_rest_grey() -> None:
    image = np.full((8, 8, 3), (200, 40, 40), dtype=np.uint8)
    blended = blend_heat(image, np.zeros((4, 4), dtype=np.float32))
    assert int(np.ptp(blended, axis=2).max()) == 0


def test_front_left_is_at_the_top_left_from_above() -> None:
    picture = birds_eye(OCC3D_GRID, np.array([[190, 190, 3]]), _RED, 200)
    rows, columns = np.nonzero(picture[..., 0].astype(int) - picture[..., 2] > 100)
    assert rows.max() < 20
    assert columns.max() < 20


def test_the_highest_voxel_wins_from_above() -> None:
    index = np.array([[190, 190, 9], [190, 190, 2]])
    colors = np.array([[250, 0, 0], [0, 0, 250]], dtype=np.uint8)
    picture = birds_eye(OCC3D_GRID, index, colors, 200)
    assert (picture[..., 0].astype(int) - picture[..., 2]).max() > 100
    assert (picture[..., 2].astype(int) - picture[..., 0]).max() < 100


def test_a_cube_appears_where_the_camera_projects_it() -> None:
    camera = ChaseCamera()
    index = np.array([[130, 110, 4]])
    picture = chase_view(OCC3D_GRID, index, _RED, (200, 300), camera)
    rows, columns = np.nonzero(picture[..., 0].astype(int) - picture[..., 2] > 40)
    center = np.asarray(OCC3D_GRID.lower_m) + 0.4 * (index + 0.5)
    pixel, depth = camera.project(center, 300, 200)
    assert depth[0] > 0
    np.testing.assert_allclose([columns.mean(), rows.mean()], pixel[0], atol=1.5)
    assert pixel[0, 0] < 150  # left of the vehicle is left in the picture


def test_near_cubes_hide_far_ones() -> None:
    index = np.array([[65, 100, 3]])
    wall = np.array([(60, y, z) for y in range(80, 120) for z in range(16)])
    colors = np.concatenate((_RED, np.full((len(wall), 3), (0, 0, 200), dtype=np.uint8)))
    picture = chase_view(OCC3D_GRID, np.concatenate((index, wall)), colors, (200, 300))
    assert (picture[..., 0].astype(int) - picture[..., 2]).max() < 40


def test_nothing_occupied_gives_an_empty_picture() -> None:
    nothing = np.zeros((0, 3), dtype=np.int64)
    picture = chase_view(OCC3D_GRID, nothing, np.zeros((0, 3), dtype=np.uint8), (20, 30))
    assert bool((picture == BACKGROUND).all())


def test_the_overview_shows_everything_on_one_page(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    query = TextQuery(("automobile", "oak tree"))
    answer = pipeline.query(result, query)
    heat = pipeline.query_images(result, query)
    pictures = [QueryPicture(text, answer, row, heat[row]) for row, text in enumerate(query.texts)]
    page = draw_overview(result, pictures, "test", width=1500)
    assert page.shape[1:] == (1500, 3)
    assert page.std() > 20
    assert draw_overview(result, width=1500).shape[0] < page.shape[0]


def test_the_overview_needs_all_outputs(result: PerceptionResult) -> None:
    with pytest.raises(QueryError, match="occupancy"):
        draw_overview(replace(result, occupancy=None))
    with pytest.raises(QueryError, match="needs depth"):
        draw_overview(replace(result, depth=None))
    # A network without language features has no classes to show.
    shorter = draw_overview(replace(result, semantics=None))
    assert shorter.shape[0] < draw_overview(result).shape[0]
