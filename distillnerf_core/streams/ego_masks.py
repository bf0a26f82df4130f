"""Masks of the robot's own body in its cameras' images."""

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import ConfigurationError, ImageDecodeError
from distillnerf_core.streams.compressed_images import read_header

logger = logging.getLogger(__name__)

MAX_MASKS = 64
MAX_FILE_BYTES = 64_000_000
_BODY = 128


class EgoMasks:
    """Reads a folder of `<camera>.png`: white where the camera sees the robot itself, of any size.

    Args:
        folder: The folder; "" for none.
        max_pixels: Larger masks are refused.

    Raises:
        ConfigurationError: If there is no such folder, no mask in it, or a file that is no readable image.
    """

    def __init__(self, folder: str, max_pixels: int = 64_000_000) -> None:
        self._masks: dict[str, NDArray[np.uint8]] = {}
        if not folder:
            return
        path = Path(folder).expanduser()
        files = sorted(path.glob("*.png")) if path.is_dir() else []
        if not 1 <= len(files) <= MAX_MASKS:
            found = f"{len(files)} PNG files" if path.is_dir() else "no such folder"
            raise ConfigurationError(
                f"input.ego_mask_dir {path}: expected a folder with 1 to {MAX_MASKS} masks <camera>.png, found {found}"
            )
        self._masks = {file.stem: _read_mask(file, max_pixels) for file in files}

    def body(self, camera: str) -> NDArray[np.uint8] | None:
        """Returns 255 where the camera sees the robot [mask_height mask_width]; None where it has no mask."""
        return self._masks.get(camera)

    def report_strangers(self, cameras: Sequence[str]) -> None:
        """Warns about masks of cameras that do not exist."""
        strangers = sorted(set(self._masks) - set(cameras))
        if strangers:
            logger.warning("ego masks for %s are not used: the cameras are %s", strangers, list(cameras))


def _read_mask(path: Path, max_pixels: int) -> NDArray[np.uint8]:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ConfigurationError(f"ego mask {path} has {size} bytes, above the limit of {MAX_FILE_BYTES}")
        data = np.fromfile(path, dtype=np.uint8)
        header = read_header(data, str(path))
        if header.height * header.width > max_pixels:
            raise ConfigurationError(
                f"ego mask {path} has {header.width}x{header.height} pixels, above the limit of {max_pixels}"
            )
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except (OSError, ImageDecodeError, cv2.error) as err:
        raise ConfigurationError(f"cannot read ego mask {path}: {err}; expected a PNG image") from err
    if image is None:
        raise ConfigurationError(f"cannot read ego mask {path}: damaged PNG image; save it again")
    return np.where(image >= _BODY, 255, 0).astype(np.uint8)
