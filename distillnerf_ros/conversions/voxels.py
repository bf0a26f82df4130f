"""The dense semantic grid, the map for planners, and the markers of occupied voxels."""

from array import array

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from nav_msgs.msg import MapMetaData, OccupancyGrid
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from distillnerf_core.language.classes import SKY_COLOR
from distillnerf_core.language.label_set import OCC3D_LABELS, Color, LabelSet
from distillnerf_ros.conversions.fields import byte_array
from distillnerf_ros.msg import SemanticVoxelGrid

UPRIGHT = Quaternion(w=1.0)


def semantic_grid(
    labels: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    lower_m: tuple[float, float, float],
    voxel_size_m: float,
    header: Header,
    classes: LabelSet = OCC3D_LABELS,
) -> SemanticVoxelGrid:
    """Returns the dense grid; the label after the last class is free, 255 unknown.

    Args:
        labels: Label of each voxel, [x y z].
        confidence: Confidence in the label, 0 to 1, [x y z].
        lower_m: Corner with the smallest coordinates, in the header's frame.
        voxel_size_m: Edge of a voxel.
        header: Base frame and reference stamp.
        classes: What the labels mean.
    """
    message = SemanticVoxelGrid()
    message.header = header
    message.origin = Pose(position=_point(*lower_m), orientation=UPRIGHT)
    message.resolution = voxel_size_m
    message.size = [int(count) for count in labels.shape]
    message.class_names = [*classes.names, classes.name(classes.free)]
    message.class_colors = [*(_color(color) for color in classes.colors), _color(SKY_COLOR, alpha=0.0)]
    message.label = byte_array(labels)
    message.confidence = byte_array(np.rint(np.clip(confidence, 0.0, 1.0) * 255.0).astype(np.uint8))
    return message


def ground_plan(
    cells: NDArray[np.int8], lower_m: tuple[float, float, float], voxel_size_m: float, header: Header
) -> OccupancyGrid:
    """Returns a map of obstacles: 100 obstacle, 0 passable, -1 unknown.

    Args:
        cells: Value of each column of voxels, [x y].
        lower_m: Corner with the smallest coordinates, in the header's frame; the map lies at height 0.
        voxel_size_m: Edge of a cell.
        header: Base frame and reference stamp.
    """
    info = MapMetaData(map_load_time=header.stamp, resolution=voxel_size_m, width=cells.shape[0], height=cells.shape[1])
    info.origin = Pose(position=_point(*lower_m[:2], 0.0), orientation=UPRIGHT)
    data = array("b")
    data.frombytes(np.ascontiguousarray(cells.T).tobytes())
    return OccupancyGrid(header=header, info=info, data=data)


def class_markers(
    centers_m: NDArray[np.float32],
    labels: NDArray[np.uint8],
    voxel_size_m: float,
    max_cubes: int,
    header: Header,
    classes: LabelSet = OCC3D_LABELS,
) -> MarkerArray:
    """Returns DELETEALL followed by one CUBE_LIST a class, with at most `max_cubes` cubes, the nearest ones.

    Args:
        centers_m: Centres of occupied voxels in the header's frame, [voxels 3].
        labels: Class of each voxel.
        voxel_size_m: Edge of a cube.
        max_cubes: RViz stalls from about 20,000.
        header: Base frame and reference stamp.
        classes: What the labels mean.
    """
    nearest = np.argsort((centers_m**2).sum(axis=1), kind="stable")[:max_cubes]
    centers_m, labels = centers_m[nearest], labels[nearest]
    clear = Marker(header=header, ns="occupancy", action=Marker.DELETEALL)
    cubes = [
        _cube_list(centers_m[labels == label], int(label), voxel_size_m, header, classes) for label in np.unique(labels)
    ]
    return MarkerArray(markers=[clear, *cubes])


def _cube_list(centers_m: NDArray[np.float32], label: int, edge_m: float, header: Header, classes: LabelSet) -> Marker:
    return Marker(
        header=header,
        ns=classes.name(label),
        id=label,
        type=Marker.CUBE_LIST,
        action=Marker.ADD,
        pose=Pose(orientation=UPRIGHT),
        scale=Vector3(x=edge_m, y=edge_m, z=edge_m),
        color=_color(classes.colors[label]),
        points=[_point(*center) for center in centers_m.tolist()],
    )


def _color(color: Color, alpha: float = 1.0) -> ColorRGBA:
    red, green, blue = (value / 255.0 for value in color)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def _point(x: float, y: float, z: float) -> Point:
    return Point(x=float(x), y=float(y), z=float(z))
