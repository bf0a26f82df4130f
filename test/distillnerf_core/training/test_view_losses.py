"""Other views teach where they are trusted, and only there."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.geometry.rays import camera_rays
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.model.predictor import PredictorConfig, ScenePredictor, Stages
from distillnerf_core.training.augmentation import augment
from distillnerf_core.training.config import LossWeights, ObjectiveConfig, TrainConfig
from distillnerf_core.training.objective import compute_objective, drop_cameras
from distillnerf_core.training.trainer import Trainer
from distillnerf_core.training.view_losses import other_view_losses
from distillnerf_core.training.windows import Window

CONFIG = ObjectiveConfig(cameras=(2,), render_cameras=1, other_cameras=2, crop_columns=0, points=100)


@pytest.fixture
def others(flat_road: SupervisedFrame) -> OtherViews:
    """The same road from where the cameras are."""
    frame = flat_road.frame
    weight = torch.ones_like(flat_road.ray_distance_m)
    return OtherViews("next", frame.rig, frame.images, flat_road.ray_distance_m, weight)


def losses(architecture: PredictorConfig, frame: SupervisedFrame, others: tuple[OtherViews, ...]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    predictor = ScenePredictor(architecture)
    encoded = predictor.encode_scene(frame.frame, Stages())
    return other_view_losses(predictor, encoded, others, CONFIG, torch.Generator().manual_seed(0))


def test_what_has_no_weight_cannot_be_seen_in_the_loss(
    small_architecture: PredictorConfig, flat_road: SupervisedFrame, others: OtherViews
) -> None:
    weight = others.weight.clone()
    weight[:, :, :32] = 0.0
    images, distance = others.images.clone(), others.ray_distance_m.clone()
    images[..., :32] = torch.rand(2, 3, 32, 32)
    distance[..., :32] = 3.0
    spoiled = replace(others, images=images, ray_distance_m=distance, weight=weight)
    right = losses(small_architecture, flat_road, (replace(others, weight=weight),))
    assert right.keys() == {"other_color", "other_depth"}
    for name, value in losses(small_architecture, flat_road, (spoiled,)).items():
        assert value.item() == pytest.approx(right[name].item(), rel=1e-5)
    changed = losses(small_architecture, flat_road, (replace(spoiled, weight=others.weight),))
    assert all(changed[name].item() != pytest.approx(right[name].item(), rel=1e-2) for name in right)
    nothing = losses(small_architecture, flat_road, (replace(others, weight=torch.zeros_like(weight)),))
    assert [value.item() for value in nothing.values()] == [0.0, 0.0]


def test_frames_without_other_views_have_no_such_terms(
    small_architecture: PredictorConfig, flat_road: SupervisedFrame
) -> None:
    assert losses(small_architecture, flat_road, ()) == {}


def test_every_term_can_be_switched_on(
    small_architecture: PredictorConfig, flat_road: SupervisedFrame, others: OtherViews, codec: FeatureCodec
) -> None:
    weights = LossWeights(structure=1.0, line_of_sight=1.0, features=1.0, other_features=1.0, perceptual=1.0)
    config = CONFIG.model_copy(update={"weights": weights})
    features = torch.rand(2, 8, 16, 32)
    frame = replace(flat_road, others=(replace(others, features=features),), features=features)
    generator = torch.Generator().manual_seed(1)
    lpips = Lpips((torch.nn.Identity(),), (torch.ones(3),))
    objective = compute_objective(ScenePredictor(small_architecture), frame, codec, config, generator, lpips)
    assert objective.terms.keys() == {*LossWeights.model_fields} - (
        set() if "candidates" in objective.terms else {"candidates"}
    )
    assert all(torch.isfinite(torch.tensor(list(objective.terms.values()))))


def test_features_of_an_image_model_take_the_place_of_classes(
    train_config: TrainConfig, flat_road: SupervisedFrame, others: OtherViews
) -> None:
    """The features are a fixed mixture of where a pixel is, which the network can learn."""
    space = ImageFeatures("dinov2", {}, 8, None)
    rays = camera_rays(flat_road.frame.rig.resized(16, 32)).directions
    features = torch.einsum("nhwk,kc->nchw", rays, torch.linspace(-1.0, 1.0, 24).view(3, 8)).contiguous()
    features[:, :, :3] = torch.nan
    weights = LossWeights(features=3.0, other_features=3.0)
    objective = train_config.objective.model_copy(update={"weights": weights, "one_stage_share": 0.0})
    config = train_config.model_copy(update={"objective": objective, "steps": 40})
    frame = replace(flat_road, features=features, others=(replace(others, features=features),))
    trainer = Trainer(config, [frame], space)
    trainer.run(progress=False)
    first, last = trainer.curve.rows[0], trainer.curve.rows[-1]
    assert not {"language", "point_language"} & first.keys()
    assert last["features"] < 0.6 * first["features"]
    assert last["other_features"] < 0.6 * first["other_features"]


def test_other_views_follow_their_cameras(flat_road: SupervisedFrame, others: OtherViews) -> None:
    frame = replace(flat_road, others=(replace(others, name="left"),))
    kept = drop_cameras(frame, ObjectiveConfig(cameras=(1,)), torch.Generator().manual_seed(0))
    assert kept.others[0].rig.names == kept.frame.rig.names
    assert torch.equal(kept.others[0].images, kept.frame.images)
    varied = [augment(frame, torch.Generator().manual_seed(seed)) for seed in range(8)]
    assert {frame.others[0].name for frame in varied} == {"left", "right"}
    for one in varied:
        assert torch.equal(one.others[0].images, one.frame.images)
        torch.testing.assert_close(one.others[0].rig.camera_to_ego, one.frame.rig.camera_to_ego)
        assert torch.equal(one.others[0].ray_distance_m, one.ray_distance_m)


def test_training_learns_from_other_views_alone(
    train_config: TrainConfig, flat_road: SupervisedFrame, others: OtherViews, codec: FeatureCodec
) -> None:
    weights = LossWeights(**dict.fromkeys(LossWeights.model_fields, 0.0) | {"other_color": 1.0, "other_depth": 1.0})
    objective = train_config.objective.model_copy(update={"weights": weights, "one_stage_share": 0.0})
    config = train_config.model_copy(update={"objective": objective, "augment": False, "steps": 25})
    trainer = Trainer(config, [replace(flat_road, others=(others,))], codec)
    trainer.run(progress=False)
    first, last = trainer.curve.rows[0], trainer.curve.rows[-1]
    assert last["other_depth"] < 0.6 * first["other_depth"]
    assert last["other_color"] < 0.5 * first["other_color"]


def test_a_window_cuts_rays_and_pixels_alike(flat_road: SupervisedFrame) -> None:
    rig = flat_road.frame.rig.resized(16, 32)
    window = Window([1], slice(8, 24))
    columns = torch.arange(64.0).expand(2, 3, 32, 64)
    cut = window.pixels(columns, rig, (16, 16))
    torch.testing.assert_close(cut[0, 0, 0], torch.arange(16, 48.0).view(16, 2).mean(dim=1))
    assert window.rays(torch.arange(32).expand(2, 16, 32))[0, 0].tolist() == list(range(8, 24))
