from collections.abc import Callable

import torch
from torch import Tensor

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.geometry.transforms import invert_rigid, transform_points
from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig
from distillnerf_core.model.reference.names import reference_names
from distillnerf_core.model.reference.pixel_grids import render_rig
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import VARIANTS
from distillnerf_core.model.renderer import render_rays

HEIGHT, WIDTH = 36, 64
RENDER = (18, 32)
SMALL_PRIOR = DepthPriorConfig(
    short_side_px=28,
    transformer=VisionTransformerConfig(width=16, depth=4, heads=2),
    head=DensePredictionConfig(level_channels=(8, 8, 8, 8)),
)
STAGES = ("coarse_monodepth_estimator", "fine_mono_depth_estimator", "multi_view_pooling_octree_encoder")


def make_predictor(variant: str, seeded: Callable[[str], dict[str, Tensor]], *, in_lidar: bool) -> ReferencePredictor:
    """A variant at the golden size, with the seeded weights and a prior that is never run."""
    config = VARIANTS[variant].at_size(HEIGHT, WIDTH).model_copy(update={"prior": SMALL_PRIOR})
    predictor = ReferencePredictor(config.in_field_frame() if in_lidar else config)
    names = reference_names(VARIANTS[variant].feature_head)
    last = "projector.volume_renderer" if VARIANTS[variant].feature_head else "decoder"
    prefixes = [f"model.{stage}." for stage in (*STAGES, last)]
    tensors = {prefix + key: tensor for prefix in prefixes for key, tensor in seeded(prefix).items()}
    renamed = {names.translate(key).name: tensor for key, tensor in tensors.items()}
    wanted = {key for key in predictor.state_dict() if not key.startswith("depth_prior.")}
    predictor.load_state_dict({key: renamed[key] for key in wanted}, strict=False)
    return predictor.eval().requires_grad_(False)


def test_a_glance_becomes_a_field_and_the_field_images(
    golden_inputs: dict[str, Tensor], golden_rig: CameraRig, seeded_tensors: Callable[[str], dict[str, Tensor]]
) -> None:
    predictor = make_predictor("reference-linear", seeded_tensors, in_lidar=True)
    field = predictor.encode(golden_inputs["imgs"][0], golden_rig, golden_inputs["depthanything_feat"])
    views = predictor.render(field, golden_rig.resized(*RENDER))
    assert views.rgb is not None
    assert views.rgb.shape == (2, 3, HEIGHT, WIDTH)
    assert views.language is None
    assert bool(views.rgb.isfinite().all())
    assert 0.0 < float(views.ray_distance_m.min()) <= float(views.ray_distance_m.max()) <= 50.0
    again = predictor.render(field, golden_rig.resized(*RENDER))
    assert again.rgb is not None
    assert torch.equal(views.rgb, again.rgb)


def test_the_field_answers_in_the_ego_frame(
    golden_inputs: dict[str, Tensor], golden_rig: CameraRig, seeded_tensors: Callable[[str], dict[str, Tensor]]
) -> None:
    in_lidar = make_predictor("reference-linear", seeded_tensors, in_lidar=True)
    in_ego = make_predictor("reference-linear", seeded_tensors, in_lidar=False)
    ego_from_lidar = invert_rigid(in_ego.config.field_from_ego())
    ego_rig = CameraRig(
        golden_rig.names, golden_rig.intrinsics, ego_from_lidar @ golden_rig.camera_to_ego, HEIGHT, WIDTH
    )
    images, prior = golden_inputs["imgs"][0], golden_inputs["depthanything_feat"]
    first, second = in_lidar.encode(images, golden_rig, prior), in_ego.encode(images, ego_rig, prior)
    centers = first.space.voxel_centers(first.structure.fine_coordinates(), first.structure.fine_level)
    points = centers[:: len(centers) // 2000]
    expected, found = first.query(points), second.query(transform_points(ego_from_lidar, points))
    flips = (expected.density - found.density).abs() > 1e-3 * expected.density.clamp_min(1e-3)
    assert bool(expected.occupied.all())
    # Points on the border of a voxel are lifted into its neighbour.
    assert float(flips.float().mean()) < 0.02


def test_features_of_empty_space_are_composited_too(
    golden_inputs: dict[str, Tensor], golden_rig: CameraRig, seeded_tensors: Callable[[str], dict[str, Tensor]]
) -> None:
    predictor = make_predictor("reference-clip", seeded_tensors, in_lidar=True)
    field = predictor.encode(golden_inputs["imgs"][0], golden_rig, golden_inputs["depthanything_feat"])
    assert predictor.decoder is None
    assert float(field.language[field.empty_row].abs().max()) > 1e-3
    views = predictor.render(field, golden_rig.resized(*RENDER))
    assert views.rgb is None
    assert views.language is not None
    rays = camera_rays(render_rig(golden_rig.resized(*RENDER), (HEIGHT, WIDTH), 1600))
    # A table beside the field's, whose last row is empty space but is not called so.
    whole = render_rays(
        _WithoutEmptySpace(field.logits, field.rows_of_axes),
        field.language,
        rays.origins_m.reshape(-1, 3),
        rays.directions.reshape(-1, 3),
        predictor.config.renderer,
    )
    expected = 2.0 * whole.features.view(2, *RENDER, 64).permute(0, 3, 1, 2) - 1.0
    torch.testing.assert_close(views.language, expected, rtol=1e-4, atol=1e-5)


def test_missing_cameras_are_ignored(
    golden_inputs: dict[str, Tensor], golden_rig: CameraRig, seeded_tensors: Callable[[str], dict[str, Tensor]]
) -> None:
    predictor = make_predictor("reference-linear", seeded_tensors, in_lidar=True)
    frame = MultiViewFrame(5, golden_rig, golden_inputs["imgs"][0], torch.tensor([True, False]), (5, 0))
    alone = predictor.encode(golden_inputs["imgs"][0, :1], golden_rig.select([0]))
    torch.testing.assert_close(predictor.encode_frame(frame).logits, alone.logits)


class _WithoutEmptySpace:
    empty_row = -1

    def __init__(self, logits: Tensor, rows_of_axes: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self.logits = logits
        self.rows_of_axes = rows_of_axes
