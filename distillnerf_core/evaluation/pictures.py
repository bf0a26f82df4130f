"""Pictures of an evaluation: what was given, what is true, and what was predicted."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from distillnerf_core.data.occupancy_truth import OccupancyTruth
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.grids import VoxelGrid
from distillnerf_core.geometry.rays import ray_distance_to_z_depth
from distillnerf_core.language.classes import CLASS_NAMES, FREE, OCC3D_CLASSES
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.perception.pictures.birds_eye import birds_eye
from distillnerf_core.perception.pictures.colors import Image, color_depth, color_labels, color_scores
from distillnerf_core.perception.pictures.page import Page

Row = tuple[str, Sequence[Image]]
_MAX_DEPTH_M = 80.0
_MARGIN, _CELL_WIDTH, _CAPTION, _SIDE = 12, 300, 28, 110
_PLAN = 400


def camera_page(title: str, names: Sequence[str], rows: Sequence[Row]) -> Image:
    """Lays out rows of images, a column for each camera."""
    first = rows[0][1][0]
    height = round(_CELL_WIDTH * first.shape[0] / first.shape[1])
    top = 40 + _CAPTION
    page = Page(_SIDE + len(names) * (_CELL_WIDTH + 6) + _MARGIN, top + len(rows) * (height + 6) + _MARGIN)
    page.text(title, _MARGIN, 8, size=24)
    for column, name in enumerate(names):
        left = _SIDE + column * (_CELL_WIDTH + 6)
        page.text(name, left, 42, size=16, faint=True)
        for row, (_, images) in enumerate(rows):
            page.picture(images[column], left, top + row * (height + 6), _CELL_WIDTH, height)
    for row, (caption, _) in enumerate(rows):
        page.text(caption, _MARGIN, top + row * (height + 6) + height // 2 - 10, size=16)
    return page.image()


def color_rows(
    truth: Float[Tensor, "cameras 3 height width"],
    rendered: Float[Tensor, "cameras 3 height width"],
    views: RenderedViews,
    rig: CameraRig,
) -> list[Row]:
    """Returns the rows input, rendered and depth; `rig` is that of the images, of twice the size of the views."""
    distance = views.ray_distance_m
    z_depth = ray_distance_to_z_depth(distance, rig.resized(*distance.shape[-2:]))
    return [
        ("input", [to_image(image) for image in truth]),
        ("rendered", [to_image(image) for image in rendered]),
        ("depth", depth_images(array(z_depth))),
    ]


def depth_images(z_depth_m: NDArray[np.float32], spread: bool = False) -> list[Image]:
    """Paints depth images; sparse ones are spread over their neighbours, the nearest winning, to be seen."""
    if spread:
        known = np.where(np.isnan(z_depth_m), np.float32(np.inf), z_depth_m)
        z_depth_m = np.stack([cv2.erode(image, np.ones((2, 2), dtype=np.uint8)) for image in known])
        z_depth_m = np.where(np.isfinite(z_depth_m) & (z_depth_m < 1e30), z_depth_m, np.float32(np.nan))
    return [color_depth(image, _MAX_DEPTH_M) for image in z_depth_m]


def feature_images(
    truth: Float[Tensor, "cameras channels h w"], predicted: Float[Tensor, "cameras channels h w"]
) -> tuple[list[Image], list[Image]]:
    """Paints both by the three principal components of the known truth; what is not known is dark."""
    known = ~truth.isnan().any(dim=1)
    vectors = truth.permute(0, 2, 3, 1)[known]
    mean = vectors.mean(dim=0)
    basis = torch.linalg.svd(vectors[:: max(1, len(vectors) // 4096)] - mean, full_matrices=False)[2][:3].T
    painted = (vectors - mean) @ basis
    low, high = painted.amin(dim=0), painted.amax(dim=0)

    def paint(features: Tensor) -> list[Image]:
        colors = ((features.permute(0, 2, 3, 1) - mean) @ basis - low) / (high - low).clamp_min(1e-6)
        if basis.shape[1] < 3:
            colors = torch.nn.functional.pad(colors, (0, 3 - basis.shape[1]))
        shown = torch.where(known[..., None], colors, 0.0).nan_to_num(0.0)
        return [to_image(image.permute(2, 0, 1)) for image in shown]

    return paint(truth), paint(predicted)


def occupancy_page(title: str, grid: VoxelGrid, volumes: Sequence[tuple[str, UInt8[Tensor, "x y z"]]]) -> Image:
    """Lays out occupancy from above, side by side, over a legend."""
    plans = []
    for caption, labels in volumes:
        index = (labels < FREE).nonzero().numpy()
        colors = color_labels(labels.numpy()[tuple(index.T)])
        plans.append((caption, birds_eye(grid, index, colors, _PLAN)))
    page = _plan_page(title, plans, legend=True)
    page.legend([(info.title, info.color) for info in OCC3D_CLASSES], _MARGIN, page.height - 56, page.width - 24)
    return page.image()


def query_page(
    title: str, truth: OccupancyTruth, scores: Float[Tensor, "texts x y z"], words: Mapping[str, str]
) -> Image:
    """Lays out the true class of each word above the score of each voxel, both from above, in the camera mask."""
    rows: list[list[tuple[str, Image]]] = [[], []]
    for row, (word, class_name) in enumerate(words.items()):
        wanted = (truth.labels == CLASS_NAMES.index(class_name)) & truth.camera_mask
        for place, (caption, value) in enumerate(((word, wanted.float()), ("", scores[row] * truth.camera_mask))):
            index = (value > 0).nonzero()
            colors = color_scores(array(value[tuple(index.T)]))
            rows[place].append((caption, birds_eye(truth.grid, index.numpy(), colors, _PLAN // 2)))
    pages = [_plan_page(title if place == 0 else "", plans).image() for place, plans in enumerate(rows)]
    return np.concatenate(pages)


def _plan_page(title: str, plans: Sequence[tuple[str, Image]], legend: bool = False) -> Page:
    height, width = plans[0][1].shape[:2]
    top = 40 + _CAPTION if title else _CAPTION
    page = Page(len(plans) * (width + _MARGIN) + _MARGIN, top + height + (68 if legend else _MARGIN))
    page.text(title, _MARGIN, 8, size=24 if width > 300 else 18)
    for place, (caption, plan) in enumerate(plans):
        left = _MARGIN + place * (width + _MARGIN)
        page.text(caption, left, top - 24, size=16, faint=True)
        page.picture(plan, left, top, width, height)
    return page


def to_image(image: Float[Tensor, "3 height width"]) -> Image:
    """Converts RGB, clamped to [0, 1], to bytes [height width 3]."""
    return array((image.permute(1, 2, 0).clamp(0, 1) * 255.0).round().to(torch.uint8))


def array(tensor: Tensor) -> NDArray[Any]:
    """Returns a tensor as an array."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
