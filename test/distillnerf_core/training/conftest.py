import pytest

from distillnerf_core.model.predictor import PredictorConfig
from distillnerf_core.training.config import ObjectiveConfig, OptimizerConfig, TrainConfig


@pytest.fixture
def train_config(small_architecture: PredictorConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    objective = ObjectiveConfig(cameras=(2,), render_cameras=2, crop_columns=0, points=600, one_stage_share=0.25)
    return TrainConfig(
        out=tmp_path_factory.mktemp("run"),
        steps=30,
        warmup_steps=3,
        optimizer=OptimizerConfig(learning_rate=5e-3),
        device="cpu",
        log_every=1,
        predictor=small_architecture,
        objective=objective,
    )
