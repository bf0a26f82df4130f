"""The Occ3D taxonomy: 17 semantic classes, free space and unknown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassInfo:
    """A semantic class.

    Attributes:
        name: Identifier as in Occ3D-nuScenes.
        title: Words for a person.
        color: Display colour, RGB 0..255.
    """

    name: str
    title: str
    color: tuple[int, int, int]


OCC3D_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo("others", "other object", (120, 120, 120)),
    ClassInfo("barrier", "barrier", (214, 98, 64)),
    ClassInfo("bicycle", "bicycle", (230, 75, 140)),
    ClassInfo("bus", "bus", (240, 176, 48)),
    ClassInfo("car", "car", (38, 120, 230)),
    ClassInfo("construction_vehicle", "construction vehicle", (196, 150, 30)),
    ClassInfo("motorcycle", "motorcycle", (190, 40, 190)),
    ClassInfo("pedestrian", "pedestrian", (226, 38, 46)),
    ClassInfo("traffic_cone", "traffic cone", (255, 128, 0)),
    ClassInfo("trailer", "trailer", (140, 84, 40)),
    ClassInfo("truck", "truck", (126, 70, 190)),
    ClassInfo("driveable_surface", "road", (110, 112, 122)),
    ClassInfo("other_flat", "other flat ground", (150, 136, 120)),
    ClassInfo("sidewalk", "sidewalk", (186, 166, 196)),
    ClassInfo("terrain", "terrain", (150, 200, 90)),
    ClassInfo("manmade", "building", (222, 200, 160)),
    ClassInfo("vegetation", "vegetation", (40, 140, 60)),
)

CLASS_NAMES: tuple[str, ...] = tuple(info.name for info in OCC3D_CLASSES)
CLASS_COLORS: tuple[tuple[int, int, int], ...] = tuple(info.color for info in OCC3D_CLASSES)

FREE = 17
"""Label of an empty voxel."""
SKY = 17
"""Label of a pixel whose ray meets nothing."""
SKY_COLOR: tuple[int, int, int] = (170, 208, 240)
UNKNOWN = 255
"""Label of a voxel or pixel about which nothing is known."""
BACKGROUND = 254
"""Label of a surface known to belong to none of the object classes (training only)."""
OBJECT_CLASSES: tuple[int, ...] = tuple(range(1, 11))
"""The ten classes that data sets label with boxes."""
