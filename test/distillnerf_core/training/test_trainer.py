import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import CheckpointError, DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.model.checkpoint import load_predictor, read_safetensors, write_safetensors
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.pictures import draw_progress
from distillnerf_core.training.trainer import Trainer, schedule


def test_training_learns_the_depth_of_a_flat_road(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    trainer = Trainer(train_config, [flat_road], codec)
    trainer.run(progress=False)
    first, last = trainer.curve.rows[0], trainer.curve.rows[-1]
    assert last["coarse_depth"] < 0.6 * first["coarse_depth"]
    assert last["color"] < first["color"]
    assert (train_config.out / "predictor.safetensors").exists()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    whole = Trainer(train_config, [flat_road], codec)
    for _ in range(4):
        whole.train_step()
    whole.save()
    resumed = Trainer(train_config, [flat_road], codec)
    assert resumed.resume()
    assert resumed.step == 4
    for name, value in whole.predictor.state_dict().items():
        assert torch.equal(resumed.predictor.state_dict()[name], value), name
    for name, value in whole.averaged.items():
        assert torch.equal(resumed.averaged[name], value), name
    # The sums of parallel threads differ in the last digits, which the optimiser amplifies from step to step.
    for _ in range(2):
        assert resumed.train_step() == pytest.approx(whole.train_step(), rel=0.02, abs=0.02)


def test_resuming_under_another_configuration_names_what_differs(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    Trainer(train_config, [flat_road], codec).save()
    changed = train_config.model_copy(update={"ema_decay": 0.5, "steps": 99})
    with pytest.raises(CheckpointError, match="other values of ema_decay;"):
        Trainer(changed, [flat_road], codec).resume()


def test_a_run_of_an_earlier_version_goes_on_where_new_settings_have_their_defaults(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    Trainer(train_config, [flat_road], codec).save()
    path = train_config.out / "run.safetensors"
    tensors, metadata = read_safetensors(path)
    config = json.loads(metadata["config"])
    del config["objective"]["weights"]["features"], config["objective"]["feature_error"]
    write_safetensors(path, tensors, {**metadata, "config": json.dumps(config)})
    assert Trainer(train_config, [flat_road], codec).resume()
    weights = train_config.objective.weights.model_copy(update={"features": 1.0})
    changed = train_config.model_copy(
        update={"objective": train_config.objective.model_copy(update={"weights": weights})}
    )
    with pytest.raises(CheckpointError, match="other values of objective;"):
        Trainer(changed, [flat_road], codec).resume()
    config["objective"]["gone"] = 1
    write_safetensors(path, tensors, {**metadata, "config": json.dumps(config)})
    with pytest.raises(CheckpointError, match="other values of objective;"):
        Trainer(train_config, [flat_road], codec).resume()


def test_a_run_on_features_goes_on_with_the_same_features_only(
    train_config: TrainConfig, flat_road: SupervisedFrame
) -> None:
    space = ImageFeatures("dinov2", {"stride_px": "7"}, 8, None)
    Trainer(train_config, [flat_road], space).save()
    assert Trainer(train_config, [flat_road], space).resume()
    with pytest.raises(CheckpointError, match="other values of features;"):
        Trainer(train_config, [flat_road], replace(space, description={"stride_px": "14"})).resume()


def test_a_head_of_other_channels_begins_anew_on_the_weights_of_a_predictor(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec, tmp_path: Path
) -> None:
    first = Trainer(train_config, [flat_road], codec)
    first.export(tmp_path / "p.safetensors", half=False)
    initial = load_predictor(tmp_path / "p.safetensors")
    wide = train_config.predictor.model_copy(update={"language_channels": 5})
    space = ImageFeatures("clip", {}, 5, None)
    other = {"predictor": wide, "seed": 9}
    started = Trainer(train_config.model_copy(update=other), [flat_road], space, initial)
    for name, value in started.predictor.state_dict().items():
        same = torch.equal(value, first.averaged[name]) if value.shape == first.averaged[name].shape else False
        assert same != name.startswith("voxel_network.language_head.") or value.numel() == 0, name
    deeper = train_config.predictor.model_copy(update={"feature_channels": 8})
    with pytest.raises(CheckpointError, match=r"p\.safetensors: cannot start from another architecture"):
        Trainer(train_config.model_copy(update={"predictor": deeper}), [flat_road], codec, initial)


def test_an_exported_predictor_carries_its_provenance(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec, tmp_path: Path
) -> None:
    trainer = Trainer(train_config, [flat_road], codec)
    trainer.train_step()
    trainer.export(tmp_path / "p.safetensors", half=True)
    loaded = load_predictor(tmp_path / "p.safetensors")
    assert loaded.provenance["steps"] == 1
    assert loaded.provenance["seed"] == train_config.seed


def test_progress_is_shown_as_pictures_of_input_reconstruction_and_depth(
    train_config: TrainConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    trainer = Trainer(train_config, [flat_road], codec)
    picture = draw_progress(trainer.predictor, flat_road.frame)
    assert picture.shape == (2 * 32, 3 * 64, 3)
    left = (255.0 * flat_road.frame.images[0].permute(1, 2, 0).numpy()).astype(int)
    assert abs(picture[:32, :64].astype(int) - left).max() <= 1


def test_an_empty_data_set_is_refused(train_config: TrainConfig, codec: FeatureCodec) -> None:
    with pytest.raises(DataError, match="distillnerf simulate"):
        Trainer(train_config, [], codec)


def test_the_schedule_warms_up_and_decays() -> None:
    values = [schedule(step, 10, 100) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert max(values) == pytest.approx(1.0)
    assert values[-1] < 0.02
    assert values[10:] == sorted(values[10:], reverse=True)
