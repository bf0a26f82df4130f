"""Point clouds of occupied voxels and of the voxels that answer a query."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from distillnerf_core.language.label_set import OCC3D_LABELS, LabelSet
from distillnerf_ros.conversions.fields import byte_array

OCCUPANCY_POINT = np.dtype(
    {
        "names": ["x", "y", "z", "rgb", "label", "density", "confidence"],
        "formats": ["<f4", "<f4", "<f4", "<u4", "<u2", "<f4", "<f4"],
        "offsets": [0, 4, 8, 12, 16, 20, 24],
        "itemsize": 28,
    }
)
QUERY_POINT = np.dtype(
    [
        *((name, "<f4") for name in "xyz"),
        ("rgb", "<u4"),
        ("score", "<f4"),
        ("query_id", "<u4"),
        ("text_index", "<u4"),
    ]
)
HEAT_STOPS = np.array([0.0, 0.35, 0.65, 1.0])
HEAT_COLORS = np.array([[48, 18, 59], [122, 4, 130], [240, 110, 30], [252, 253, 140]], dtype=np.float64)
_FIELD_TYPES = {
    "f4": PointField.FLOAT32,
    "u4": PointField.UINT32,
    "u2": PointField.UINT16,
}


def occupancy_cloud(
    centers_m: NDArray[np.float32],
    labels: NDArray[np.uint8],
    density: NDArray[np.float32],
    confidence: NDArray[np.float32],
    header: Header,
    classes: LabelSet = OCC3D_LABELS,
) -> PointCloud2:
    """Returns occupied voxels as points x y z rgb label density confidence.

    Args:
        centers_m: Voxel centres in the header's frame, [voxels 3].
        labels: Class of each voxel.
        density: Density of each voxel, 1/m.
        confidence: Confidence of each voxel in its label, 0 to 1.
        header: Base frame and reference stamp.
        classes: What the labels mean.
    """
    points = np.zeros(len(centers_m), dtype=OCCUPANCY_POINT)
    place_points(points, centers_m, classes.palette()[labels])
    points["label"], points["density"], points["confidence"] = labels, density, confidence
    return point_cloud(points, header)


def heat_colors(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Returns the RGB colour [n 3] of scores between 0 (dark) and 1 (bright)."""
    channels = [np.interp(scores, HEAT_STOPS, HEAT_COLORS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def place_points(points: NDArray[Any], centers_m: NDArray[np.float32], colors: NDArray[np.uint8]) -> None:
    """Sets x, y, z and the packed rgb of points from positions [points 3] and colours [points 3]."""
    for axis, name in enumerate("xyz"):
        points[name] = centers_m[:, axis]
    red, green, blue = colors.astype(np.uint32).T
    points["rgb"] = (red << 16) | (green << 8) | blue


def point_cloud(points: NDArray[Any], header: Header) -> PointCloud2:
    """Returns records as a cloud with one field for each of theirs."""
    layout = points.dtype.fields
    assert layout is not None
    message = PointCloud2()
    message.header = header
    message.height, message.width = 1, len(points)
    message.fields = [_field(name, *entry[:2]) for name, entry in layout.items()]
    message.point_step = points.dtype.itemsize
    message.row_step = points.nbytes
    message.data = byte_array(points)
    message.is_dense = True
    return message


def _field(name: str, kind: np.dtype[Any], offset: int) -> PointField:
    # RViz and PCL expect packed colours to call themselves FLOAT32.
    datatype = PointField.FLOAT32 if name == "rgb" else _FIELD_TYPES[kind.str[1:]]
    return PointField(name=name, offset=offset, datatype=datatype, count=1)
