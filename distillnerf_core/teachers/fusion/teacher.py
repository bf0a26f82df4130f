"""The teacher `fusion`: dense depth and virtual views from accumulated LiDAR, without optimisation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from distillnerf_core.teachers.fusion.visibility import hidden_behind, visible_samples
from distillnerf_core.teachers.placed_camera import Floats, PlacedCamera
from distillnerf_core.teachers.protocol import Offset, TaughtView

_KEPT_VIEWS = 32


@dataclass(frozen=True)
class _Estimate:
    """Distance [height width] along unit rays, trust in it, sky, trust in that, and where points were measured."""

    distance_m: NDArray[np.floating]
    confidence: NDArray[np.floating]
    sky: NDArray[np.bool_]
    sky_certainty: NDArray[np.floating]
    measured: NDArray[np.bool_]


class FusionTeacher:
    """Implements `Teacher` by section 13.1.

    Args:
        drive: The drive. Without LiDAR nothing is known.
        config: Settings.
        mono_depth: Depth from one image, where there is such a network; None: only what the LiDAR supports.
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
        settings = self._config.model_dump(mode="json")
        if self._mono_depth is None:
            return {**settings, "mono_depth": None}
        chosen = {name: value for name, value in settings["mono_depth"].items() if name != "folder"}
        return {**settings, "mono_depth": {**chosen, "network": self._mono_depth.name}}

    def original_view(self, image: DriveImage, height: int, width: int) -> TaughtView:
        """Returns an image of the drive at a size, with its distances."""
        return self._view(image.sweep, image.camera, height, width)[0]

    def virtual_view(self, image: DriveImage, offset_m: Offset, height: int, width: int) -> TaughtView:
        """Returns what the camera of an image would see from elsewhere at the same time."""
        camera = PlacedCamera.of(image, height, width).moved(offset_m)
        sources = list(self._sources(image, height, width))
        view = splat(camera, sources, self._config.splatting.agreement)
        depth = np.where(view.sky, np.inf, view.ray_distance_m / _stretch(camera, camera.unit_rays()))
        # What no image shows, such as the roof of a car below, may still have been measured: it hides the rest.
        free = ~hidden_behind(camera, self._points(image.stamp_ns), depth.astype(np.float32), self._config.visibility)
        distance, sky = np.where(free, view.ray_distance_m, np.float32(np.nan)), view.sky & free
        seen = sky | ~np.isnan(distance)
        return TaughtView(view.pixels, distance, sky, np.where(seen, view.confidence, np.float32(0.0)), seen)

    def _points(self, stamp_ns: int) -> NDArray[np.float32]:
        placed = self._map.at(stamp_ns)
        return np.concatenate([placed.static, placed.objects])

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
        recorded = self._drive.read_image(image)
        pixels = np.asarray(cv2.resize(recorded, (width, height), interpolation=cv2.INTER_AREA))
        measured = self._measured(camera, pixels, image.stamp_ns)
        if self._mono_depth is not None:
            inverse = self._mono_depth.inverse_depth(recorded, image.intrinsics)
            measured = self._filled(self._mono_depth, camera, _fitted(inverse, height, width), measured)
        sky = measured.sky
        distance = np.where(sky, np.nan, measured.distance_m).astype(np.float32)
        confidence = np.where(sky, measured.sky_certainty, np.where(np.isnan(distance), 0.0, measured.confidence))
        view = TaughtView(pixels, distance, sky, confidence.astype(np.float32), sky | ~np.isnan(distance))
        return view, self._moving(camera, image.stamp_ns, distance)

    def _measured(self, camera: PlacedCamera, pixels: NDArray[np.uint8], stamp_ns: int) -> _Estimate:
        """Completes the LiDAR, and decides about what lies above it."""
        points, reach = self._points(stamp_ns), self._map.at(stamp_ns).reach
        completion = self._config.completion
        filled = complete(visible_samples(camera, points, self._config.visibility), pixels, completion)
        rays = camera.unit_rays()
        below = filled.depth_m * _stretch(camera, rays)
        scale = camera.width / REFERENCE_WIDTH_PX
        upper = judge_upper(
            below,
            filled.distance_px,
            pixels,
            rays,
            reach.slope,
            abs(float(camera.camera_to_world[2, 3]) - reach.height_m),
            completion.upward_px * scale,
        )
        continued = np.isnan(below)
        away = np.where(continued, upper.rise_px / scale, filled.distance_px)
        return _Estimate(
            distance_m=np.where(continued, upper.upright_m, below),
            confidence=self._confidence(away, filled.residual),
            sky=upper.sky,
            sky_certainty=upper.certainty,
            measured=~continued,
        )

    def _filled(self, network: MonoDepth, camera: PlacedCamera, inverse: Floats, measured: _Estimate) -> _Estimate:
        """Takes a network's word where nothing was measured and no guess is trusted more (section 13.1.4)."""
        stretch = _stretch(camera, camera.unit_rays())
        known = np.where(measured.measured & ~measured.sky, measured.distance_m / stretch, np.nan)
        aligned = align_depth(inverse, known, measured.confidence, network.metric)
        away = aligned.distance_px * REFERENCE_WIDTH_PX / camera.width
        config = self._config.mono_depth
        residual = np.abs(aligned.log_residual) / self._config.completion.residual_scale
        confidence = config.confidence * np.exp(-away / config.spread_px) * np.exp(-residual)
        guessed = np.where(np.isnan(measured.distance_m), 0.0, measured.confidence)
        taken = ~measured.measured & (confidence > guessed) & np.isfinite(aligned.z_depth_m)
        return replace(
            measured,
            distance_m=np.where(taken, aligned.z_depth_m * stretch, measured.distance_m),
            confidence=np.where(taken, confidence, measured.confidence),
        )

    def _confidence(self, away_px: NDArray[np.floating], residual: NDArray[np.floating]) -> NDArray[np.floating]:
        """exp(-distance / tau) exp(-|residual| / kappa), section 13.1.6."""
        completion = self._config.completion
        return np.asarray(
            np.exp(-away_px / completion.spread_px) * np.exp(-np.abs(residual) / completion.residual_scale)
        )

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


def _fitted(inverse: Floats, height: int, width: int) -> Floats:
    return np.asarray(cv2.resize(inverse, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _stretch(camera: PlacedCamera, unit_rays: Floats) -> Floats:
    """Distance along the unit ray over depth along the optical axis, [height width]."""
    return np.asarray(1.0 / (unit_rays @ camera.camera_to_world[:3, 2].astype(np.float32)), dtype=np.float32)
