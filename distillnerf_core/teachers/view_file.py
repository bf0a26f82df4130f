"""What a teacher says about one image, in one file: a ZIP archive of ordinary pictures for each view.

Members of each view NAME (original, left, right, up):
`NAME/distance.png` 16 bits, distance along the unit ray in 1/256 m as in KITTI, 0 where unknown. It rounds by at most
2 mm and ends at 255.99 m; what is farther is kept as unknown;
`NAME/confidence.png` 8 bits, 255 is 1;
`NAME/flags.png` 8 bits, 1 sky, 2 seen;
`NAME/pixels.jpg` RGB, quality 95; pixels that are not seen are filled from their neighbours, so that they do not
disturb others in the compression.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.protocol import TaughtView

UNITS_PER_METRE = 256.0
FARTHEST_M = 65535 / UNITS_PER_METRE
_SKY, _SEEN = 1, 2
_JPEG_QUALITY = 95

Views = Mapping[str, TaughtView]


def write_views(path: Path, views: Views) -> None:
    """Writes the views of an image so that the file appears complete or not at all.

    Raises:
        DataError: If the file cannot be written, for instance because the disk is full.
    """
    partial = path.with_name(f"{path.name}.partial{os.getpid()}")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, view in views.items():
                for member, content in _encode(view).items():
                    archive.writestr(f"{name}/{member}", content)
        partial.replace(path)
    except OSError as err:
        partial.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {err}; free space or choose another folder") from err


def read_views(path: Path) -> dict[str, TaughtView]:
    """Reads what `write_views` wrote.

    Raises:
        DataError: If the file is missing, damaged or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}  # checks the sums
        names = dict.fromkeys(name.partition("/")[0] for name in members)
        return {name: _decode(name, members) for name in names}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, cv2.error) as err:
        raise DataError(f"{path}: no file of a teacher, or damaged ({err}); delete it and teach again") from err


def _encode(view: TaughtView) -> dict[str, bytes]:
    codes = np.nan_to_num(view.ray_distance_m * UNITS_PER_METRE, nan=0.0, posinf=0.0)
    codes[codes > 65535] = 0
    flags = _SKY * view.sky.astype(np.uint8) + _SEEN * view.seen.astype(np.uint8)
    pixels = _filled(view.pixels, view.seen)[..., ::-1]
    return {
        "distance.png": _compress(".png", codes.round().astype(np.uint16)),
        "confidence.png": _compress(".png", (view.confidence * 255.0).round().astype(np.uint8)),
        "flags.png": _compress(".png", flags),
        "pixels.jpg": _compress(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]),
    }


def _decode(name: str, members: Mapping[str, bytes]) -> TaughtView:
    codes = _decompress(members[f"{name}/distance.png"], np.uint16)
    flags = _decompress(members[f"{name}/flags.png"], np.uint8)
    distance = np.where(codes > 0, codes.astype(np.float32) / np.float32(UNITS_PER_METRE), np.float32(np.nan))
    view = TaughtView(
        pixels=_decompress(members[f"{name}/pixels.jpg"], np.uint8)[..., ::-1].copy(),
        ray_distance_m=distance,
        sky=(flags & _SKY) > 0,
        confidence=_decompress(members[f"{name}/confidence.png"], np.uint8).astype(np.float32) / np.float32(255.0),
        seen=(flags & _SEEN) > 0,
    )
    sizes = {array.shape[:2] for array in (view.pixels, codes, flags, view.confidence)}
    if len(sizes) != 1 or view.pixels.ndim != 3:
        raise ValueError(f"pictures of view {name!r} differ in size: {sizes}")
    return view


def _filled(pixels: NDArray[np.uint8], seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Gives unseen pixels the colour of the nearest seen one."""
    if seen.all() or not seen.any():
        return pixels
    _, labels = cv2.distanceTransformWithLabels(
        (~seen).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((labels.max() + 1, 3), dtype=np.uint8)
    colors[labels[seen]] = pixels[seen]
    return np.asarray(colors[labels])


def _compress(extension: str, picture: NDArray[np.generic], options: list[int] | None = None) -> bytes:
    done, content = cv2.imencode(extension, picture, options or [])
    if not done:
        raise DataError(f"cannot encode a picture of shape {picture.shape} as {extension}")
    return bytes(content)


def _decompress(content: bytes, dtype: type) -> NDArray[Any]:
    picture = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != dtype:
        raise ValueError("a picture in it cannot be decoded")
    return np.asarray(picture)
