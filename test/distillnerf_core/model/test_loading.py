from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import CheckpointError, QueryError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.model.checkpoint import write_safetensors
from distillnerf_core.model.depth_prior.dpt import DensePredictionConfig
from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
from distillnerf_core.model.depth_prior.vision_transformer import VisionTransformerConfig
from distillnerf_core.model.loading import Predictor, load_model
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.model.reference.variants import VARIANTS
from distillnerf_core.model.reference.weights_file import FORMAT
from distillnerf_core.perception.config import PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery


@pytest.fixture(scope="module")
def small_reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of converted weights of the linear variant, at a small image size and with a small prior."""
    prior = DepthPriorConfig(
        short_side_px=28,
        transformer=VisionTransformerConfig(width=16, depth=4, heads=2),
        head=DensePredictionConfig(level_channels=(8, 8, 8, 8)),
    )
    changes = {"image_height": 32, "image_width": 64, "render_height": 16, "render_width": 32, "prior": prior}
    config = VARIANTS["reference-linear"].model_copy(update=changes)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("reference") / "weights.safetensors"
    metadata = {"format": FORMAT, "variant": config.name, "config": config.model_dump_json(), "provenance": "{}"}
    write_safetensors(path, ReferencePredictor(config).state_dict(), metadata)
    return path


def test_the_kind_of_a_file_is_told_from_its_metadata(small_reference: Path, tmp_path: Path) -> None:
    shipped, reference = load_model(), load_model(small_reference)
    assert shipped.codec is not None
    assert reference.codec is None
    assert isinstance(reference.predictor, ReferencePredictor)
    assert all(isinstance(model.predictor, Predictor) for model in (shipped, reference))
    assert reference.predictor.input_size == (32, 64)
    other = tmp_path / "other.safetensors"
    write_safetensors(other, {"a": torch.zeros(1)}, {"format": "something else"})
    with pytest.raises(CheckpointError, match="not a distillnerf predictor"):
        load_model(other)


def test_the_pipeline_runs_the_published_network(small_reference: Path, frame: MultiViewFrame) -> None:
    config = PerceptionConfig.model_validate({"occupancy": {"density_threshold": 0.1}})
    pipeline = PerceptionPipeline.from_checkpoint(small_reference, config, "cpu")
    result = pipeline.perceive(frame)
    assert result.depth is not None
    assert result.rgb is not None
    assert result.occupancy is not None
    assert result.semantics is None
    assert result.depth.z_depth_m.shape == (2, 16, 32)
    assert result.rgb.shape == (2, 3, 32, 64)
    labels = result.occupancy.labels
    assert int((labels == 0).sum()) > 0
    assert labels.unique().tolist() == [0, 17, 255]
    with pytest.raises(QueryError, match="no language features"):
        pipeline.query(result, TextQuery(("car",)))
