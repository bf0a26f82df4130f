"""The teacher `fusion`: dense depth and virtual views from accumulated LiDAR, without optimisation."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.teachers.fusion.completion import complete
from distillnerf_core.teachers.fusion.config import REFERENCE_WIDTH_PX, FusionConfig
from distillnerf_core.teachers.fusion.mono_depth import MonoDepth, align_depth
from distillnerf_core.teachers.fusion.point_map import PointMap, inside_box
from distillnerf_core.teachers.fusion.sky import judge_upper
from distillnerf_core.teachers.fusion.splatting import SourceView, splat
from distillnerf_core.teachers.fusion.visibility import visible_samples
from distillnerf_core.teachers.placed_camera import PlacedCamera
from distillnerf_core.teachers.protocol import Offset, TaughtView

_KEPT_VIEWS = 32


class FusionTeacher:
    """Implements `Teacher` by section 13.1.

    Args:
        drive: The drive. Without LiDAR nothing is known.
        config: Settings.
        mono_depth: Metric depth from one image, where there is such a network; None: only what the LiDAR supports.
    """

    name = "fusion"

    def __init__(self, drive: Drive, config: FusionConfig, mono_depth: MonoDepth | None = None) -> None:
        self._drive, self._config, self._mono_depth = drive, config, mono_depth
        self._map = PointMap(drive, config.map, config.beams)
        self._by_sweep: dict[int, list[DriveImage]] = {}
        for image in drive.images:
            self._by_sweep.setdefault(image.sweep, []).append(image)
        self._image_at = {(image.sweep, image.camera): image for image in drive.images}
        self._view = lru_cache(maxsize=_KEPT_VIEWS)(self._teach)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Configuration as plain JSON values."""
        mono = None if self._mono_depth is None else self._mono_depth.name
        return {**self._config.model_dump(mode="json"), "mono_depth": mono}

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        """Returns an image of the drive at a size, with its distances."""
        return self._view(image.sweep, image.camera, height, width)[0]

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        """Returns what the camera of an image would see from elsewhere at the same time."""
        camera = PlacedCamera.of(image, height, width).moved(offset_m)
        sources = list(self._sources(image, height, width))
        view = splat(camera, sources, self._config.splatting.agreement)
        seen = view.sky | ~np.isnan(view.ray_distance_m)
        return TaughtView(view.pixels, view.ray_distance_m, view.sky, view.confidence, seen)

    def _sources(self, image: DriveImage, height: int, width: int) -> Iterator[SourceView]:
        """Yields the image itself, the others of its sweep, and its camera's before and after, without what moves."""
        yield self._source(image, height, width, moving=True)
        for other in self._by_sweep[image.sweep]:
            if other.camera != image.camera:
                yield self._source(other, height, width, moving=False)
        for sweep in self._neighbour_sweeps(image.sweep):
            if (sweep, image.camera) in self._image_at:
                yield self._source(self._image_at[sweep, image.camera], height, width, moving=False)

    def _neighbour_sweeps(self, sweep: int) -> list[int]:
        stamps = np.array(self._drive.sweep_stamps_ns, dtype=np.int64)
        splatting = self._config.splatting
        found = []
        for number in range(1, splatting.neighbour_sweeps + 1):
            for sign in (1, -1):
                away = sign * round(number * splatting.neighbour_step_s * 1e9)
                nearest = int(np.argmin(np.abs(stamps - (stamps[sweep] + away))))
                if nearest != sweep and nearest not in found:
                    found.append(nearest)
        return found

    def _source(self, image: DriveImage, height: int, width: int, moving: bool) -> SourceView:
        view, moves = self._view(image.sweep, image.camera, height, width)
        used = (view.confidence >= self._config.splatting.least_confidence) & (moving | ~moves)
        return SourceView(
            camera=PlacedCamera.of(image, height, width),
            pixels=view.pixels,
            ray_distance_m=np.where(used, view.ray_distance_m, np.float32(np.nan)),
            sky=view.sky & used,
            confidence=view.confidence,
        )

    def _teach(self, sweep: int, name: str, height: int, width: int) -> tuple[TaughtView, NDArray[np.bool_]]:
        """Returns the view of an image, and where labelled objects are that move."""
        image = self._image_at[sweep, name]
        camera = PlacedCamera.of(image, height, width)
        pixels = np.asarray(cv2.resize(self._drive.read_image(image), (width, height), interpolation=cv2.INTER_AREA))
        placed = self._map.at(image.stamp_ns)
        points = np.concatenate([placed.static, placed.objects])
        filled = complete(visible_samples(camera, points, self._config.visibility), pixels, self._config.completion)
        rays = camera.unit_rays()
        stretch = 1.0 / (rays @ camera.camera_to_world[:3, 2].astype(np.float32))
        completion = self._config.completion
        scale = width / REFERENCE_WIDTH_PX
        upper = judge_upper(
            filled.depth_m * stretch,
            filled.distance_px,
            pixels,
            rays,
            placed.highest_slope,
            completion.upward_px * scale,
        )
        distance = np.where(np.isnan(filled.depth_m), upper.upright_m, filled.depth_m * stretch)
        away = np.where(np.isnan(filled.depth_m), upper.rise_px / scale, filled.distance_px)
        confidence = np.exp(-away / completion.spread_px) * np.exp(-filled.residual / completion.residual_scale)
        if self._mono_depth is not None:
            aligned = align_depth(self._mono_depth.z_depth(pixels, camera.intrinsics), distance / stretch, confidence)
            distance = aligned.z_depth_m * stretch
            confidence = np.exp(-aligned.distance_px / scale / completion.spread_px)
            confidence = confidence * np.exp(-np.abs(aligned.log_residual) / completion.residual_scale)
        distance = np.where(upper.sky, np.nan, distance).astype(np.float32)
        confidence = np.where(upper.sky, upper.certainty, np.where(np.isnan(distance), 0.0, confidence))
        view = TaughtView(pixels, distance, upper.sky, confidence.astype(np.float32), upper.sky | ~np.isnan(distance))
        return view, self._moving(camera, image.stamp_ns, distance)

    def _moving(self, camera: PlacedCamera, stamp_ns: int, distance_m: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tells which pixels lie inside the enlarged box of an object that moves."""
        points = camera.points(np.nan_to_num(distance_m, nan=-1.0)).reshape(-1, 3)
        inside = np.zeros(len(points), dtype=bool)
        for track in self._drive.tracks:
            pose = track.pose(stamp_ns)
            if pose is None or not track.moves:
                continue
            inside[inside_box(points, pose, np.array(track.size_lwh_m) * self._config.map.box_scale)] = True
        return inside.reshape(distance_m.shape)
