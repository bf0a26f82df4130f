"""Names and colours of a set of labels; which classes there are is a property of the set, not of the code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.language.classes import OCC3D_CLASSES, SKY_COLOR, UNKNOWN

MAX_CLASSES = 250
"""A label is a byte, and the last values have meanings of their own."""
Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSet:
    """Label i is the i-th class, the label after the last class is free space or sky, 255 is unknown.

    Attributes:
        names: Identifier of each class.
        titles: Words for a person.
        colors: Display colour of each class, RGB 0..255.
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    colors: tuple[Color, ...]

    def __post_init__(self) -> None:
        count = len(self.names)
        if not 1 <= count <= MAX_CLASSES or len(self.titles) != count or len(self.colors) != count:
            raise ConfigurationError(
                f"expected 1 to {MAX_CLASSES} classes with a title and a colour each, got {count} names, "
                f"{len(self.titles)} titles and {len(self.colors)} colours"
            )

    @property
    def free(self) -> int:
        """Label of an empty voxel."""
        return len(self.names)

    @property
    def sky(self) -> int:
        """Label of a pixel whose ray meets nothing."""
        return len(self.names)

    def name(self, label: int) -> str:
        """Returns the name of a label of a voxel."""
        return (*self.names, "free")[label] if label <= self.free else "unknown"

    def palette(self, unknown: Color = (0, 0, 0)) -> NDArray[np.uint8]:
        """Returns the colour of every label, [256 3]; free space has the sky's.

        Args:
            unknown: Colour of all labels without a meaning.
        """
        table = np.full((UNKNOWN + 1, 3), unknown, dtype=np.uint8)
        table[: self.free] = self.colors
        table[self.sky] = SKY_COLOR
        return table


OCC3D_LABELS = LabelSet(
    names=tuple(info.name for info in OCC3D_CLASSES),
    titles=tuple(info.title for info in OCC3D_CLASSES),
    colors=tuple(info.color for info in OCC3D_CLASSES),
)
"""The 17 classes of Occ3D-nuScenes, which checkpoints are trained on."""
