"""PLY files, which CloudCompare, MeshLab, Blender, Open3D and trimesh read."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from numpy.typing import NDArray

_TYPES = {"<f4": "float", "|u1": "uchar", "<u2": "ushort"}
COLOR_FIELDS = ("red", "green", "blue")
VERTEX = np.dtype([*((axis, "<f4") for axis in "xyz"), *((name, "u1") for name in COLOR_FIELDS)])


def write_ply(path: Path, vertices: NDArray[Any], triangles: Int[ndarray, "triangles 3"] | None = None) -> None:
    """Writes records as the vertices of a binary PLY file, one property a field, and triangles between them.

    Args:
        path: File to write.
        vertices: Structured array; viewers know x, y, z (metres), red, green, blue (0..255).
        triangles: Indices of vertices, counter-clockwise seen from outside; None for a point cloud.
    """
    fields = [f"property {_TYPES[vertices.dtype[name].str]} {name}" for name in vertices.dtype.names or ()]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}", *fields]
    body = vertices.tobytes()
    if triangles is not None:
        header += [f"element face {len(triangles)}", "property list uchar int vertex_indices"]
        faces = np.empty(len(triangles), dtype=[("count", "u1"), ("corners", "<i4", (3,))])
        faces["count"], faces["corners"] = 3, triangles
        body += faces.tobytes()
    path.write_bytes("\n".join([*header, "end_header\n"]).encode() + body)


def colored_vertices(points_m: Float[ndarray, "points 3"], colors: UInt8[ndarray, "points 3"]) -> NDArray[Any]:
    """Returns records x, y, z, red, green, blue."""
    vertices = np.zeros(len(points_m), dtype=VERTEX)
    place(vertices, points_m, colors)
    return vertices


def place(records: NDArray[Any], points_m: Float[ndarray, "points 3"], colors: UInt8[ndarray, "points 3"]) -> None:
    """Fills in the fields x, y, z, red, green, blue of records."""
    for axis, name in enumerate("xyz"):
        records[name] = points_m[:, axis]
    for channel, name in enumerate(COLOR_FIELDS):
        records[name] = colors[:, channel]
