"""A scene for the Rerun viewer: cameras, depth, classes, occupancy and answers on a timeline of stamps."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.language.label_set import LabelSet

APPLICATION = "distillnerf"
TIMELINE = "stamp"
BASE = "world/base"
VoxelStyle = Literal["points", "boxes"]
_JPEG_QUALITY = 85
_CONE_M = 1.0
"""Length of the pyramids that stand for cameras."""


def heat_name(text: str) -> str:
    """Returns the name of the images that show how well pixels answer a text."""
    return f"query {text}"


def load_rerun() -> Any:
    """Returns the package rerun.

    Raises:
        ConfigurationError: If it is missing, with the command that installs it.
    """
    try:
        import rerun
    except ImportError as err:
        raise ConfigurationError(
            f"the view needs rerun-sdk, and {err.name} is missing: {sys.executable} -m pip install rerun-sdk"
        ) from err
    return rerun


class RerunScene:
    """Writes to a recording or a viewer.

    Entities: `world/base` (pose of the vehicle), `world/base/<camera>/image|depth|semantics|<text>`,
    `world/base/occupancy`, `world/base/query/<text>`, `status`.

    Args:
        style: Occupied voxels as boxes, or as points, which a weak computer draws faster.

    Raises:
        ConfigurationError: If rerun-sdk is missing.
    """

    def __init__(self, style: VoxelStyle = "boxes") -> None:
        self._rr = load_rerun()
        self._style = style
        self._recording = self._rr.RecordingStream(APPLICATION)
        self._recording.log("world", self._rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def save(self, path: Path) -> None:
        """Writes everything to a file.

        Raises:
            DataError: If the file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self._recording.save(path)
        except (OSError, RuntimeError) as err:
            raise DataError(f"cannot write {path}: {err} (free disk space or choose another file)") from err

    def show(self, url: str | None = None) -> None:
        """Shows everything in a viewer: one that is started here, or one that listens at a URL.

        Raises:
            DataError: If there is no viewer at the URL, or none can be started.
        """
        try:
            if url is None:
                self._recording.spawn()
            else:
                self._recording.connect_grpc(url)
        except Exception as err:  # whatever rerun raises about processes, sockets and addresses
            where = url or "on this machine"
            raise DataError(f"no Rerun viewer {where}: {err}; use --save FILE and open it elsewhere") from err

    def arrange(self, cameras: Sequence[str], texts: Sequence[str] = ()) -> None:
        """Lays the viewer out: the scene beside the images of all cameras, in tabs, and the curves.

        Args:
            cameras: Names in the order to show.
            texts: Texts whose heat is shown.
        """
        import rerun.blueprint as rrb

        pictures = ["image", "depth", "semantics", *(heat_name(text) for text in texts)]
        tabs = [
            rrb.Grid(
                *(rrb.Spatial2DView(origin=self._path(camera, name), name=camera) for camera in cameras), name=name
            )
            for name in pictures
        ]
        hidden = [f"- {self._path(camera, name)}/**" for camera in cameras for name in pictures[1:]]
        scene = rrb.Spatial3DView(origin=BASE, name="scene", contents=[f"+ {BASE}/**", *hidden])
        curves = rrb.TimeSeriesView(origin="status", name="milliseconds")
        log = rrb.TextLogView(origin="status/log", name="log")
        images = rrb.Vertical(rrb.Tabs(*tabs), rrb.Tabs(curves, log, active_tab=0), row_shares=[3, 1])
        layout = rrb.Horizontal(scene, images, column_shares=[3, 2])
        self._recording.send_blueprint(rrb.Blueprint(layout, auto_views=False, collapse_panels=True))

    def close(self) -> None:
        """Sends what is still held back and ends the recording."""
        self._recording.flush()
        self._recording.disconnect()

    def set_time(self, stamp_ns: int) -> None:
        """Sets the time of what follows."""
        self._recording.set_time(TIMELINE, timestamp=np.datetime64(stamp_ns, "ns"))

    def set_classes(self, classes: LabelSet) -> None:
        """Names and colours labels."""
        palette = classes.palette()
        names = [*classes.names, "sky"]
        infos = [
            self._rr.AnnotationInfo(id=label, label=name, color=palette[label]) for label, name in enumerate(names)
        ]
        self._recording.log("world", self._rr.AnnotationContext(infos), static=True)

    def log_pose(self, world_from_base: Float[ndarray, "4 4"]) -> None:
        """Places the vehicle."""
        self._recording.log(BASE, self._transform(world_from_base))

    def log_camera(self, camera: str, base_from_camera: Float[ndarray, "4 4"]) -> None:
        """Places a camera on the vehicle; OpenCV axes."""
        self._recording.log(f"{BASE}/{camera}", self._transform(base_from_camera))

    def log_image(self, camera: str, rgb: UInt8[ndarray, "h w 3"], intrinsics: Float[ndarray, "3 3"]) -> None:
        """Shows a camera's image, compressed."""
        self.log_colors(camera, "image", rgb, intrinsics)

    def log_depth(
        self, camera: str, z_depth_m: Float[ndarray, "h w"], intrinsics: Float[ndarray, "3 3"], max_m: float = 60.0
    ) -> None:
        """Shows depth along the optical axis, metres; what is not finite is left out."""
        depth = np.where(np.isfinite(z_depth_m), z_depth_m, 0.0).astype(np.float32)
        image = self._rr.DepthImage(depth, meter=1.0, depth_range=(0.0, max_m))
        self._log_picture(camera, "depth", image, depth, intrinsics)

    def log_labels(self, camera: str, labels: UInt8[ndarray, "h w"], intrinsics: Float[ndarray, "3 3"]) -> None:
        """Shows the class of each pixel in the colours of `set_classes`."""
        self._log_picture(camera, "semantics", self._rr.SegmentationImage(labels), labels, intrinsics)

    def log_colors(
        self, camera: str, name: str, rgb: UInt8[ndarray, "h w 3"], intrinsics: Float[ndarray, "3 3"]
    ) -> None:
        """Shows a painted image, such as classes ("semantics") or the heat of a text (`heat_name`)."""
        self._log_picture(camera, name, self._rr.Image(rgb).compress(jpeg_quality=_JPEG_QUALITY), rgb, intrinsics)

    def log_voxels(
        self, centers_m: Float[ndarray, "voxels 3"], colors: UInt8[ndarray, "voxels 3"], edge_m: float
    ) -> None:
        """Shows occupied voxels in the vehicle's frame."""
        self._recording.log(f"{BASE}/occupancy", self._voxels(centers_m, colors, edge_m))

    def log_answer(
        self, text: str, centers_m: Float[ndarray, "voxels 3"], colors: UInt8[ndarray, "voxels 3"], edge_m: float
    ) -> None:
        """Shows the voxels that answer a text; none clear what was shown before."""
        name = self._rr.escape_entity_path_part(text)
        points = self._rr.Points3D(centers_m, colors=colors, radii=0.55 * edge_m)
        self._recording.log(f"{BASE}/query/{name}", points)

    def log_number(self, name: str, value: float) -> None:
        """Adds a value to a curve, such as a latency."""
        self._recording.log(f"status/{name}", self._rr.Scalars(value))

    def log_text(self, text: str, level: Literal["INFO", "WARN", "ERROR"] = "INFO") -> None:
        """Adds a line to the log."""
        self._recording.log("status/log", self._rr.TextLog(text, level=level))

    def _voxels(self, centers_m: Any, colors: Any, edge_m: float) -> Any:
        if self._style == "points":
            return self._rr.Points3D(centers_m, colors=colors, radii=edge_m / 2)
        half_sizes = np.full_like(centers_m, edge_m / 2)
        return self._rr.Boxes3D(centers=centers_m, half_sizes=half_sizes, colors=colors, fill_mode="solid")

    def _transform(self, matrix: Any) -> Any:
        return self._rr.Transform3D(translation=matrix[:3, 3], mat3x3=matrix[:3, :3])

    def _path(self, camera: str, name: str) -> str:
        return f"{BASE}/{camera}/{self._rr.escape_entity_path_part(name)}"

    def _log_picture(self, camera: str, name: str, picture: Any, pixels: Any, intrinsics: Any) -> None:
        height, width = pixels.shape[:2]
        pinhole = self._rr.Pinhole(
            image_from_camera=intrinsics,
            resolution=(width, height),
            camera_xyz=self._rr.ViewCoordinates.RDF,
            image_plane_distance=_CONE_M,
        )
        path = self._path(camera, name)
        self._recording.log(path, pinhole)
        self._recording.log(path, picture)
