"""Laying out pictures with captions on a page."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from distillnerf_core.perception.pictures.colors import BACKGROUND, Image

_INK = (232, 236, 242)
_FAINT = (148, 156, 170)


@dataclass
class Page:
    """A sheet that pictures, captions and legends are put on.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
    """

    width: int
    height: int
    _sheet: PillowImage.Image = field(init=False)
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self._sheet = PillowImage.new("RGB", (self.width, self.height), BACKGROUND)
        self._draw = ImageDraw.Draw(self._sheet)

    def picture(self, image: Image, left: int, top: int, width: int, height: int) -> None:
        """Puts an RGB image into a rectangle; enlarged images keep their pixels sharp."""
        resample = PillowImage.Resampling.NEAREST
        if width < image.shape[1]:
            resample = PillowImage.Resampling.LANCZOS
        picture = PillowImage.fromarray(image).resize((width, height), resample)
        self._sheet.paste(picture, (left, top))

    def text(self, text: str, left: int, top: int, size: int = 18, faint: bool = False) -> None:
        """Writes a line whose upper left corner is given."""
        self._draw.text((left, top), text, fill=_FAINT if faint else _INK, font=ImageFont.load_default(size))

    def legend(
        self, entries: list[tuple[str, tuple[int, int, int]]], left: int, top: int, width: int, size: int = 15
    ) -> None:
        """Writes coloured squares with their names, as many in a line as fit."""
        font = ImageFont.load_default(size)
        x, y = left, top
        for name, color in entries:
            needed = int(font.getlength(name)) + 2 * size + 8
            if x + needed > left + width:
                x, y = left, y + 2 * size - 4
            self._draw.rounded_rectangle((x, y, x + size, y + size), 3, fill=color)
            self._draw.text((x + size + 6, y - 2), name, fill=_INK, font=font)
            x += needed

    def image(self) -> Image:
        """Returns the page as an RGB array."""
        return np.asarray(self._sheet, dtype=np.uint8)
