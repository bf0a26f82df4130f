"""LPIPS as a term of training: switched on by its weight, and named files are needed."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from distillnerf_core.errors import CheckpointError, ConfigurationError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.training.config import LossWeights, PerceptualConfig, TrainConfig
from distillnerf_core.training.perceptual import create_perceptual
from distillnerf_core.training.step import TrainingStep
from distillnerf_core.training.trainer import Trainer

ALEXNET = ((0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> PerceptualConfig:
    """A random AlexNet."""
    folder, generator = tmp_path_factory.mktemp("lpips"), torch.Generator().manual_seed(0)
    features: dict[str, Tensor] = {}
    for number, inputs, outputs, kernel in ALEXNET:
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        features[f"features.{number}.weight"] = weight * (2.0 / (inputs * kernel**2)) ** 0.5
        features[f"features.{number}.bias"] = torch.zeros(outputs)
    heads = {f"lin{number}.model.1.weight": torch.ones(1, row[2], 1, 1) for number, row in enumerate(ALEXNET)}
    torch.save(features, folder / "features.pth")
    torch.save(heads, folder / "heads.pth")
    return PerceptualConfig(features=folder / "features.pth", heads=folder / "heads.pth")


def with_weight(config: TrainConfig, files: PerceptualConfig, **objective: object) -> TrainConfig:
    weights = LossWeights(**dict.fromkeys(LossWeights.model_fields, 0.0) | {"perceptual": 1.0})
    changed = config.objective.model_copy(update={"weights": weights, **objective})
    return config.model_copy(update={"objective": changed, "perceptual": files})


def test_it_is_off_unless_it_has_a_weight(train_config: TrainConfig, files: PerceptualConfig) -> None:
    assert create_perceptual(train_config.model_copy(update={"perceptual": files})) is None
    assert create_perceptual(with_weight(train_config, files)) is not None


def test_pictures_become_more_alike_by_this_term_alone(
    train_config: TrainConfig, files: PerceptualConfig, flat_road: SupervisedFrame, codec: FeatureCodec
) -> None:
    config = with_weight(train_config, files, one_stage_share=0.0)
    trainer = Trainer(config.model_copy(update={"augment": False, "steps": 15}), [flat_road], codec)
    trainer.run(progress=False)
    assert trainer.curve.rows[-1]["perceptual"] < 0.8 * trainer.curve.rows[0]["perceptual"]


def test_the_judge_is_no_part_of_what_is_trained(
    train_config: TrainConfig, files: PerceptualConfig, codec: FeatureCodec
) -> None:
    config = with_weight(train_config, files)
    step = TrainingStep(ScenePredictor(config.predictor), codec, config, create_perceptual(config))
    assert all(name.startswith("predictor.") for name in step.state_dict())


def test_what_is_missing_or_too_small_is_said(
    train_config: TrainConfig, files: PerceptualConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"--set perceptual\.heads=vgg\.pth"):
        create_perceptual(with_weight(train_config, PerceptualConfig(features=files.features)))
    with pytest.raises(CheckpointError, match=r"gone\.pth does not exist"):
        create_perceptual(
            with_weight(train_config, PerceptualConfig(features=tmp_path / "gone.pth", heads=files.heads))
        )
    with pytest.raises(ConfigurationError, match="renders 20 x 32 pixels, LPIPS needs 31"):
        create_perceptual(with_weight(train_config, files, crop_columns=10))
