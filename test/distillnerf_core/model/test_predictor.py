from dataclasses import replace

import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.model.predictor import ScenePredictor, Stages


def test_rendered_views_have_the_promised_sizes(
    predictor: ScenePredictor, frame: MultiViewFrame, rig: CameraRig
) -> None:
    views = predictor.render(predictor.encode_frame(frame), rig.resized(16, 32))
    assert views.rgb is not None
    assert views.language is not None
    assert tuple(views.rgb.shape) == (2, 3, 32, 64)
    assert tuple(views.ray_distance_m.shape) == (2, 16, 32)
    assert tuple(views.language.shape) == (2, 8, 16, 32)
    assert bool(torch.isfinite(views.ray_distance_m).all())


def test_rendering_does_not_depend_on_the_chunks(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    field, rig = predictor.encode_frame(frame), frame.rig.resized(16, 32)
    whole = predictor.render(field, rig)
    predictor.config = predictor.config.model_copy(
        update={"renderer": predictor.config.renderer.model_copy(update={"chunk_rays": 97})}
    )
    pieces = predictor.render(field, rig)
    torch.testing.assert_close(whole.ray_distance_m, pieces.ray_distance_m)
    torch.testing.assert_close(whole.rgb, pieces.rgb)


def test_every_parameter_learns(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    predictor.train()
    # Heads that start at zero pass no gradient to what feeds them; move off that point first.
    with torch.no_grad():
        for parameter in predictor.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    encoded = predictor.encode_scene(frame, Stages())
    views = predictor.render(encoded.field, encoded.depth.rig)
    assert views.rgb is not None
    assert views.language is not None
    total = views.rgb.mean() + views.language.square().mean() + views.ray_distance_m.mean()
    (total + encoded.depth.coarse.distance_m.mean() + encoded.field.logits.mean()).backward()
    silent = [name for name, value in predictor.named_parameters() if value.grad is None or not bool(value.grad.any())]
    assert silent == []


def test_a_missing_camera_is_as_if_it_were_not_there(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    masked = replace(frame, camera_mask=torch.tensor([True, False]))
    alone = replace(
        frame,
        rig=frame.rig.select([0]),
        images=frame.images[:1],
        camera_mask=torch.tensor([True]),
        camera_stamps_ns=frame.camera_stamps_ns[:1],
    )
    torch.testing.assert_close(predictor.encode_frame(masked).logits, predictor.encode_frame(alone).logits)


def test_encoding_is_deterministic(predictor: ScenePredictor, frame: MultiViewFrame) -> None:
    assert torch.equal(predictor.encode_frame(frame).logits, predictor.encode_frame(frame).logits)
