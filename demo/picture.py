"""The picture of the demo: cameras, depth, semantics, occupancy and what texts find, on one page."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from demo.live import LiveFrame
from distillnerf_core.language.classes import FREE, OCC3D_CLASSES, SKY_COLOR, UNKNOWN
from distillnerf_core.perception.pictures.birds_eye import birds_eye
from distillnerf_core.perception.pictures.chase_view import chase_view
from distillnerf_core.perception.pictures.colors import Image, color_depth, color_labels, color_scores
from distillnerf_core.perception.pictures.page import Page

ORDER = ("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT")
MARGIN, GAP, CAPTION = 24, 8, 28
CELL = (288, 162)
PLAN = 520
SHOWN_TEXTS = 4
MAX_DEPTH_M = 60.0
QUIET_COLOR = (74, 79, 90)


def draw_page(
    frame: LiveFrame, answers: Mapping[str, NDArray[np.float32]], title: str, threshold: float = 0.4
) -> Image:
    """Draws a frame and the answers to texts.

    Args:
        frame: What the node published.
        answers: Score of every occupied voxel of the frame for each text, in the order of `frame.occupied`.
        threshold: Scores from here on are answers.
        title: Headline.

    Returns:
        RGB picture.
    """
    left_width = MARGIN + 3 * (CELL[0] + GAP)
    right_width = 2 * PLAN + GAP
    top = 76 + CAPTION
    tall = 6 * (CELL[1] + GAP + 20)
    height = top + tall + 84
    page = Page(left_width + MARGIN + right_width + MARGIN, height)
    page.text(title, MARGIN, 18, size=32)
    _draw_cameras(page, frame, top)
    _draw_space(page, frame, answers, threshold, left_width + MARGIN, top, tall)
    legend = [(info.title, info.color) for info in OCC3D_CLASSES] + [("sky", SKY_COLOR)]
    page.legend(legend, MARGIN, height - 64, page.width - 2 * MARGIN)
    return page.image()


def _draw_cameras(page: Page, frame: LiveFrame, top: int) -> None:
    for column, caption in enumerate(("camera", "depth, warm is near", "semantics")):
        page.text(caption, MARGIN + column * (CELL[0] + GAP), top - CAPTION, size=20)
    names = [name for name in ORDER if name in frame.cameras] or list(frame.cameras)
    for row, name in enumerate(names):
        camera = frame.cameras.index(name)
        y = top + row * (CELL[1] + GAP + 20)
        images = (
            frame.images[camera],
            color_depth(frame.z_depth_m[camera], MAX_DEPTH_M),
            color_labels(frame.semantics[camera]),
        )
        for column, image in enumerate(images):
            page.picture(image, MARGIN + column * (CELL[0] + GAP), y, *CELL)
        page.text(name, MARGIN, y + CELL[1] + 2, size=14, faint=True)


def _draw_space(
    page: Page,
    frame: LiveFrame,
    answers: Mapping[str, NDArray[np.float32]],
    threshold: float,
    left: int,
    top: int,
    tall: int,
) -> None:
    index = frame.occupied
    colors = color_labels(frame.labels[tuple(index.T)])
    known = ((frame.labels != UNKNOWN) & (frame.labels >= FREE)).any(axis=2)
    width, chase_height = 2 * PLAN + GAP, tall - PLAN - CAPTION - 40
    page.text("occupancy by class, from behind and above", left, top - CAPTION, size=20)
    page.picture(chase_view(frame.grid, index, colors, (chase_height, width)), left, top, width, chase_height)
    top += chase_height + CAPTION + 12
    page.text("bird's eye occupancy, rings every 10 m", left, top - CAPTION, size=20)
    page.picture(birds_eye(frame.grid, index, colors, PLAN, known), left, top, PLAN, PLAN)
    small = (PLAN - CAPTION - GAP) // 2
    for place, (text, scores) in enumerate(list(answers.items())[:SHOWN_TEXTS]):
        x = left + PLAN + GAP + (place % 2) * (small + CAPTION + GAP)
        y = top + (place // 2) * (small + CAPTION + GAP)
        page.text(f'"{text}"', x, y - CAPTION + 2, size=18)
        page.picture(birds_eye(frame.grid, index, _heat(scores, threshold), small, known), x, y, small, small)


def _heat(scores: NDArray[np.float32], threshold: float) -> Image:
    """Colours voxels by score: grey where they are no answer, so that shapes stay visible."""
    share = np.clip(scores / max(threshold, 1e-6), 0.0, 1.0)[:, None] ** 4
    hot = color_scores((0.45 + 0.5 * scores).astype(np.float32)).astype(np.float64)
    blended: Image = (np.asarray(QUIET_COLOR) * (1 - share) + hot * share).astype(np.uint8)
    return blended
