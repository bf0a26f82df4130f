"""A perceived frame as files for other tools: coloured points, cubes, a mesh, and plain arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from distillnerf_core.errors import DataError
from distillnerf_core.perception.camera_colors import camera_colors
from distillnerf_core.perception.depth_points import depth_points
from distillnerf_core.perception.export import occupied_points, write_result
from distillnerf_core.perception.pictures.colors import color_scores
from distillnerf_core.perception.ply import colored_vertices, write_ply
from distillnerf_core.perception.query import QueryResult
from distillnerf_core.perception.results import PerceptionResult, SemanticOccupancy
from distillnerf_core.perception.surfaces import density_surface, voxel_faces, voxel_labels

_MARGIN_VOXELS = 2.0
"""A corner of the mesh this far behind a pixel's depth is still what the pixel shows."""


def write_point_files(folder: Path, result: PerceptionResult) -> list[Path]:
    """Writes PLY files of what the cameras see and of what is occupied.

    `points_camera.ply` and `points_class.ply` hold a point for each pixel with a depth, coloured by its image and by
    its class; `occupancy.ply` the centres of occupied voxels with class, label and confidence; `voxels_class.ply` the
    same as cubes.

    Args:
        folder: Folder to write into; made if needed.
        result: Frame with depth and occupancy.

    Returns:
        The files.

    Raises:
        DataError: If the folder cannot be written.
    """
    occupancy, palette = _occupancy(result), result.classes.labels.palette()
    points, faces = depth_points(result), voxel_faces(occupancy)
    files = [folder / f"{name}.ply" for name in ("points_camera", "points_class", "occupancy", "voxels_class")]
    colors = occupancy.classes.palette()[voxel_labels(occupancy).cpu().numpy()][faces.voxels]
    with _writing(folder):
        write_ply(files[0], colored_vertices(points.points_m, points.colors))
        write_ply(files[1], colored_vertices(points.points_m, palette[points.labels]))
        write_ply(files[2], occupied_points(occupancy))
        write_ply(files[3], colored_vertices(faces.vertices_m, colors), faces.triangles)
    return files


def write_array_files(folder: Path, result: PerceptionResult) -> list[Path]:
    """Writes `occupancy.npz` and `depth.npz`, as `distillnerf predict` does, and `points.npz`.

    `points.npz` holds points_m (ego frame), colors, labels and cameras of every pixel with a depth, class_names and
    camera_names.

    Raises:
        DataError: If the folder cannot be written.
    """
    points = depth_points(result)
    write_result(folder, result)
    with _writing(folder):
        np.savez_compressed(
            folder / "points.npz",
            points_m=points.points_m,
            colors=points.colors,
            labels=points.labels,
            cameras=points.cameras,
            class_names=np.array(result.classes.labels.names),
            camera_names=np.array(result.frame.rig.names),
            stamp_ns=np.int64(result.stamp_ns),
        )
    return [folder / "occupancy.npz", folder / "depth.npz", folder / "points.npz"]


def write_mesh_files(folder: Path, result: PerceptionResult, density_threshold: float) -> list[Path]:
    """Writes the surface of the density as `mesh_class.ply` and `mesh_camera.ply`.

    A corner has the colour of the nearest occupied voxel's class; in the second file the colour that a camera sees
    there, grey where none does.

    Args:
        folder: Folder to write into; made if needed.
        result: Frame with depth and occupancy.
        density_threshold: Density of the surface, 1/m.

    Returns:
        The files.

    Raises:
        ConfigurationError: If scikit-image is missing.
        DataError: If the folder cannot be written.
    """
    occupancy = _occupancy(result)
    surface = density_surface(occupancy, density_threshold)
    labels = voxel_labels(occupancy).cpu().numpy()[surface.voxels]
    by_class = occupancy.classes.palette()[labels]
    vertices = surface.vertices_m.astype(np.float32)
    margin_m = _MARGIN_VOXELS * occupancy.grid.voxel_size_m
    by_camera = camera_colors(result, torch.from_numpy(vertices), margin_m)
    files = [folder / "mesh_class.ply", folder / "mesh_camera.ply"]
    with _writing(folder):
        for path, colors in zip(files, (by_class, by_camera), strict=True):
            write_ply(path, colored_vertices(vertices, colors), surface.triangles)
    return files


def write_answer_files(folder: Path, answer: QueryResult, ply: bool, npz: bool) -> list[Path]:
    """Writes how well each occupied voxel answers each text.

    `query_0.ply` and so on have the voxels at or above the threshold, coloured by their score; `query.npz` holds texts,
    centers_m, scores and threshold.

    Raises:
        DataError: If the folder cannot be written.
    """
    centers, scores = answer.centers_m.cpu().numpy(), answer.scores.cpu().numpy()
    files = []
    with _writing(folder):
        for row, values in enumerate(scores if ply else ()):
            found = values >= answer.threshold
            files.append(folder / f"query_{row}.ply")
            write_ply(files[-1], colored_vertices(centers[found], color_scores(values[found])))
        if npz:
            files.append(folder / "query.npz")
            texts = np.array(answer.texts)
            np.savez_compressed(
                files[-1], texts=texts, centers_m=centers, scores=scores, threshold=np.float64(answer.threshold)
            )
    return files


def _occupancy(result: PerceptionResult) -> SemanticOccupancy:
    if result.occupancy is None:
        raise DataError("the frame was perceived without occupancy: ask for Output.OCCUPANCY")
    return result.occupancy


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as err:
        raise DataError(f"cannot write to {folder}: {err} (free disk space or choose another folder)") from err
