"""One page that shows everything perceived at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.errors import QueryError
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.language.classes import SKY_COLOR, UNKNOWN
from distillnerf_core.perception.pictures.birds_eye import birds_eye
from distillnerf_core.perception.pictures.chase_view import chase_view
from distillnerf_core.perception.pictures.colors import (
    Image,
    blend_heat,
    color_depth,
    color_labels,
    color_scores,
)
from distillnerf_core.perception.pictures.page import Page
from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.results import PerceptionResult, SemanticOccupancy

_MARGIN = 16
_CAPTION = 30
_SIDE = 150
_LOWER = 420
_LEGEND = 44
_VEHICLE_M = ((-1.0, -1.0, 0.2), (3.6, 1.0, 1.7))
"""Corners of the ego vehicle's stand-in among the cubes."""
_VEHICLE_COLOR = (245, 245, 245)
_FALLBACK_GREY = (74, 79, 90)


@dataclass(frozen=True)
class QueryPicture:
    """An answer to show.

    Attributes:
        text: What was asked.
        answer: Scores of the occupied voxels of the whole grid.
        row: Position of the text in the answer.
        pixel_scores: Score of each pixel of the rendered images, [cameras h w]; None leaves that row out.
    """

    text: str
    answer: QueryResult
    row: int
    pixel_scores: torch.Tensor | None = None


def draw_overview(
    result: PerceptionResult,
    queries: Sequence[QueryPicture] = (),
    title: str = "distillnerf",
    width: int = 1920,
    max_depth_m: float = 60.0,
) -> Image:
    """Draws cameras, depth and classes, where the network knows any, above the occupancy and the answers.

    Args:
        result: A result with all outputs.
        queries: Answers; the first one with pixel scores also becomes a row of camera images.
        title: Headline.
        width: Width of the page in pixels.
        max_depth_m: Depth of the coldest colour.

    Raises:
        QueryError: If depth or occupancy were not computed.
    """
    occupancy = result.occupancy
    if occupancy is None:
        raise QueryError("the overview needs occupancy: perceive with all outputs")
    rows = _camera_rows(result, queries, max_depth_m)
    count = len(result.frame.rig)
    cell = (width - _SIDE - 2 * _MARGIN - 6 * (count - 1)) // count
    cell_height = round(cell * result.frame.rig.height / result.frame.rig.width)
    upper = 64 + _CAPTION + len(rows) * (cell_height + 6)
    page = Page(width, upper + _CAPTION + _LOWER + _LEGEND + 2 * _MARGIN)
    page.text(title, _MARGIN, 14, size=30)
    _draw_cameras(page, result, rows, cell, cell_height)
    _draw_space(page, occupancy, queries, upper + _MARGIN)
    classes = occupancy.classes
    legend = [*zip(classes.titles, classes.colors, strict=True), ("sky", SKY_COLOR)]
    page.legend(legend, _MARGIN, page.height - _LEGEND, width - 2 * _MARGIN)
    return page.image()


def _camera_rows(
    result: PerceptionResult, queries: Sequence[QueryPicture], max_depth_m: float
) -> list[tuple[str, list[Image]]]:
    if result.depth is None:
        raise QueryError("the overview needs depth: perceive with all outputs")
    cameras = [_to_image(image) for image in result.frame.images]
    rows = [
        ("camera", cameras),
        ("depth", [color_depth(_array(image), max_depth_m) for image in result.depth.z_depth_m]),
    ]
    if result.semantics is not None:
        rows.append(("semantics", [color_labels(_array(image), result.classes.labels) for image in result.semantics]))
    if result.rgb is not None:
        rows.insert(1, ("rendered", [_to_image(image) for image in result.rgb]))
    for query in queries:
        if query.pixel_scores is not None:
            pairs = zip(cameras, query.pixel_scores, strict=True)
            rows.append((f'"{query.text}"', [blend_heat(image, _array(heat)) for image, heat in pairs]))
            break
    return rows


def _draw_cameras(
    page: Page, result: PerceptionResult, rows: list[tuple[str, list[Image]]], cell: int, cell_height: int
) -> None:
    order = _left_to_right(result)
    for place, camera in enumerate(order):
        left = _MARGIN + _SIDE + place * (cell + 6)
        name = result.frame.rig.names[camera]
        present = bool(result.frame.camera_mask[camera])
        page.text(name if present else f"{name} (missing)", left, 64, size=16, faint=True)
        for row, (_, images) in enumerate(rows):
            page.picture(images[camera], left, 64 + _CAPTION + row * (cell_height + 6), cell, cell_height)
    for row, (caption, _) in enumerate(rows):
        page.text(caption, _MARGIN, 64 + _CAPTION + row * (cell_height + 6) + cell_height // 2 - 10, size=18)


def _left_to_right(result: PerceptionResult) -> list[int]:
    """Orders cameras by where they look: from behind on the left, over the front, to behind on the right."""
    axes = result.frame.rig.camera_to_ego[:, :3, 2].cpu().double()
    # A camera that looks straight back comes last.
    angles = torch.atan2(axes[:, 1], axes[:, 0])
    angles = torch.where(angles > 3.1, angles - 2 * torch.pi, angles)
    return [int(camera) for camera in torch.argsort(-angles, stable=True)]


def _draw_space(page: Page, occupancy: SemanticOccupancy, queries: Sequence[QueryPicture], top: int) -> None:
    index = _array(occupancy.occupied.index)
    labels = _array(occupancy.labels)
    classes = color_labels(labels[tuple(index.T)], occupancy.classes)
    known = ((labels != UNKNOWN) & (labels >= occupancy.classes.free)).any(axis=2)
    plans = [("bird's eye, classes (rings every 10 m)", classes)]
    plans += [(f'bird\'s eye, "{query.text}"', _heat_colors(query)) for query in queries[:2]]
    chase_width = page.width - 2 * _MARGIN - len(plans) * (_LOWER + _MARGIN)
    page.text("occupancy, seen from behind the vehicle", _MARGIN, top)
    cubes = _with_vehicle(occupancy.grid, index, classes)
    view = chase_view(occupancy.grid, *cubes, (_LOWER, chase_width))
    page.picture(view, _MARGIN, top + _CAPTION, chase_width, _LOWER)
    for place, (caption, colors) in enumerate(plans):
        left = page.width - (len(plans) - place) * (_LOWER + _MARGIN)
        page.text(caption, left, top)
        plan = birds_eye(occupancy.grid, index, colors, _LOWER, known)
        page.picture(plan, left, top + _CAPTION, _LOWER, _LOWER)


def _with_vehicle(grid: VoxelGrid, index: NDArray[np.int64], colors: Image) -> tuple[NDArray[np.int64], Image]:
    """Adds white cubes where the ego vehicle stands."""
    lower, upper = (np.subtract(corner, grid.lower_m) / grid.voxel_size_m for corner in _VEHICLE_M)
    low, high = (np.clip(np.round(corner), 0, grid.size).astype(int) for corner in (lower, upper))
    body = np.argwhere(np.ones(np.maximum(high - low, 0), dtype=bool)) + low
    white = np.full((len(body), 3), _VEHICLE_COLOR, dtype=np.uint8)
    return np.concatenate((index, body)), np.concatenate((colors, white))


def _heat_colors(query: QueryPicture) -> Image:
    """Colours of voxels by score: grey where they are no answer, so that shapes stay visible."""
    scores = _array(query.answer.scores[query.row])
    share = np.clip(scores / max(query.answer.threshold, 1e-6), 0, 1)[:, None]
    hot = color_scores((0.45 + 0.5 * scores).astype(np.float32)).astype(np.float64)
    blended: Image = (np.asarray(_FALLBACK_GREY) * (1 - share) + hot * share).astype(np.uint8)
    return blended


def _to_image(image: torch.Tensor) -> Image:
    """Converts RGB [3 height width] in [0, 1] to bytes [height width 3]."""
    return _array((image.permute(1, 2, 0).clamp(0, 1) * 255.0).round().to(torch.uint8))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.cpu().numpy())
