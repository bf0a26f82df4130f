"""Views of an endless road and of a network's field."""

from typing import Any

import numpy as np
import pytest
import torch

from distillnerf_core.errors import LanguageError, QueryError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.model.views import RenderedViews
from distillnerf_core.perception.classes import UNFELT_CLASSES, SemanticClasses
from distillnerf_core.perception.config import DepthConfig, PerceptionConfig, RenderConfig
from distillnerf_core.perception.novel_view import NovelView, render_view
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.results import Output, PerceptionResult
from distillnerf_core.perception.virtual_camera import VirtualCamera

_ALL = frozenset({Output.RGB, Output.DEPTH, Output.SEMANTICS})
_LOOKING_LEFT = np.array([[1.0, 0, 0, 3.0], [0, 0, 1, -2.0], [0, -1, 0, 1.5], [0, 0, 0, 1]])


class _FlatRoad:
    """A network that sees a road at z = 0, of the feature of class 11, and whose colour is the height in the image."""

    input_size = (32, 64)

    def parameters(self) -> Any:
        return iter(())

    def encode_frame(self, frame: Any, progress: Any = None) -> Any:
        raise NotImplementedError

    def render(
        self, field: Any, cameras: CameraRig, color: bool = True, language: bool = True, progress: Any = None
    ) -> RenderedViews:
        rays = camera_rays(cameras)
        down = -rays.directions[..., 2]
        distance = torch.where(down > 1e-6, rays.origins_m[..., 2] / down.clamp_min(1e-6), 1e6)
        opacity = (down > 1e-6).float()
        features = torch.eye(18)[11][:, None, None].expand(len(cameras), 18, cameras.height, cameras.width)
        rows = torch.arange(2 * cameras.height) / 100.0
        rgb = rows[:, None].expand(len(cameras), 3, -1, 2 * cameras.width)
        return RenderedViews(rgb if color else None, distance, distance, opacity, features if language else None)


def _camera(**changes: Any) -> VirtualCamera:
    values: dict[str, Any] = {
        "intrinsics": np.array([[30.0, 0, 16.0], [0, 30.0, 8.0], [0, 0, 1]]),
        "camera_to_ego": _LOOKING_LEFT,
        "height": 17,
        "width": 33,
    }
    return VirtualCamera(**{**values, **changes})


def _render(
    result: PerceptionResult,
    outputs: frozenset[Output] = _ALL,
    features: torch.Tensor | None = None,
    camera: VirtualCamera | None = None,
    max_rays: int = 20_000,
) -> NovelView:
    classes = SemanticClasses(UNFELT_CLASSES.labels, features)
    config = PerceptionConfig(depth=DepthConfig(max_range_m=50.0), render=RenderConfig(max_rays=max_rays))
    return render_view(_FlatRoad(), result.field, camera or _camera(), classes, outputs, config)


def test_depth_of_a_road_is_height_times_focal_length_over_rows(result: PerceptionResult) -> None:
    view = _render(result, features=torch.eye(18))
    assert view.z_depth_m is not None
    below = np.arange(17) + 0.5 - 8.0
    expected = np.where(below > 0, 1.5 * 30.0 / np.maximum(below, 1e-9), np.inf)
    expected[expected > 50.0] = np.inf
    np.testing.assert_allclose(view.z_depth_m.numpy(), np.repeat(expected[:, None], 33, axis=1), rtol=1e-4)
    assert view.labels is not None
    assert view.labels[:, 0].tolist() == [17] * 8 + [11] * 9
    assert view.rgb is not None
    assert view.rgb.shape == (3, 17, 33)
    torch.testing.assert_close(view.rgb[0, :, 0], torch.arange(17) / 100.0)


def test_a_large_image_is_rendered_with_fewer_rays_and_enlarged(result: PerceptionResult) -> None:
    large = _camera(intrinsics=np.array([[300.0, 0, 160.0], [0, 300.0, 80.0], [0, 0, 1]]), height=170, width=330)
    few, many = (_render(result, features=torch.eye(18), camera=large, max_rays=rays) for rays in (1000, 10**6))
    for view in (few, many):
        assert view.z_depth_m is not None
        assert view.labels is not None
        assert view.rgb is not None
        assert view.z_depth_m.shape == view.labels.shape == view.rgb.shape[1:] == (170, 330)
    assert few.z_depth_m is not None
    assert many.z_depth_m is not None
    # 22 rows of rays for 170: each pixel takes the depth of a ray at most 4 rows away.
    assert len(few.z_depth_m[:, 0].unique()) <= 22
    below = np.arange(170) + 0.5 - 80.0
    for row in range(130, 170):
        nearest, farthest = (1.5 * 300.0 / (below[row] + shift) for shift in (4.5, -4.5))
        assert nearest <= float(few.z_depth_m[row, 0]) <= farthest


def test_only_what_is_asked_for_is_rendered(result: PerceptionResult) -> None:
    view = _render(result, frozenset({Output.DEPTH}))
    assert (view.rgb, view.labels) == (None, None)
    with pytest.raises(LanguageError, match="knows no classes"):
        _render(result, frozenset({Output.SEMANTICS}))


def test_a_camera_of_the_frame_sees_what_the_frame_has(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    assert result.depth is not None
    assert result.semantics is not None
    assert result.rgb is not None
    rig = result.depth.rig
    own = VirtualCamera(
        rig.intrinsics[2].double().numpy(), rig.camera_to_ego[2].double().numpy(), rig.height, rig.width
    )
    view = pipeline.render_view(result, own, _ALL)
    assert view.z_depth_m is not None
    assert view.labels is not None
    torch.testing.assert_close(view.z_depth_m, result.depth.z_depth_m[2])
    assert torch.equal(view.labels, result.semantics[2])
    full = VirtualCamera(own.intrinsics * [[2.0], [2.0], [1.0]], own.camera_to_ego, 2 * rig.height, 2 * rig.width)
    colored = pipeline.render_view(result, full, frozenset({Output.RGB})).rgb
    assert colored is not None
    # The decoder works on one image at a time, so the frame's other cameras make no difference.
    torch.testing.assert_close(colored, result.rgb[2], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 10**9, "width": 10**9}, "1000000000 x 1000000000 pixels: expected 1 to 250000"),
        ({"height": 0}, "render.max_pixels"),
        ({"intrinsics": np.diag([0.0, 30.0, 1.0])}, r"K\[0\] is 0"),
        ({"intrinsics": np.diag([30.0, np.nan, 1.0])}, r"K\[4\] is nan"),
        ({"intrinsics": np.diag([1e-30, 30.0, 1.0])}, r"K\[0\] is 1e-30"),
        ({"intrinsics": np.array([[30.0, 0, np.inf], [0, 30.0, 8.0], [0, 0, 1]])}, r"K\[2\] is inf"),
        ({"camera_to_ego": np.full((4, 4), np.nan)}, "the camera is at"),
        ({"camera_to_ego": np.eye(4) + 1e9 * np.eye(4, k=3)}, "within 10000 m"),
    ],
)
def test_senseless_cameras_are_refused(
    pipeline: PerceptionPipeline, result: PerceptionResult, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        pipeline.render_view(result, _camera(**changes), _ALL)
