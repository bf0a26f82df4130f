import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import CheckpointError, LanguageError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.language.clip_space import ClipTextSpace
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.model.checkpoint import write_safetensors
from distillnerf_core.model.loading import Predictor, load_model
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.reference.predictor import ReferencePredictor
from distillnerf_core.perception.config import PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery


def test_the_kind_of_a_file_is_told_from_its_metadata(reference_weights: Callable[[str], Path], tmp_path: Path) -> None:
    shipped, reference = load_model(), load_model(reference_weights("reference-linear"))
    assert isinstance(shipped.language, CodecTextSpace)
    assert isinstance(reference.language, NoTexts)
    assert isinstance(reference.predictor, ReferencePredictor)
    assert all(isinstance(model.predictor, Predictor) for model in (shipped, reference))
    assert reference.predictor.input_size == (32, 64)
    other = tmp_path / "other.safetensors"
    write_safetensors(other, {"a": torch.zeros(1)}, {"format": "something else"})
    with pytest.raises(CheckpointError, match="not a distillnerf predictor"):
        load_model(other)


def test_the_pipeline_runs_the_published_network(
    reference_weights: Callable[[str], Path], frame: MultiViewFrame
) -> None:
    config = PerceptionConfig.model_validate({"occupancy": {"density_threshold": 0.1}})
    pipeline = PerceptionPipeline.from_checkpoint(reference_weights("reference-linear"), config, "cpu")
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
    with pytest.raises(LanguageError, match="reference-linear renders colour"):
        pipeline.query(result, TextQuery(("car",)))


@pytest.mark.parametrize(
    ("variant", "why"),
    [("reference-linear", "renders colour"), ("reference-dino", "DINOv2, which knows no texts"), ("", "of its own")],
)
def test_files_of_clip_that_a_checkpoint_cannot_use_are_named(
    reference_weights: Callable[[str], Path], caplog: pytest.LogCaptureFixture, variant: str, why: str
) -> None:
    path = reference_weights(variant) if variant else None
    load_model(path)
    assert caplog.records == []
    loaded = load_model(path, options=ModelOptions(clip_folder="clip"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert why in caplog.text
    assert not isinstance(loaded.language, NoTexts) or (why in loaded.language.reason and not loaded.language.faulty)


@pytest.mark.parametrize("variant", ["reference-clip", "reference-400x224-clip"])
def test_clip_needs_both_of_its_files(
    reference_weights: Callable[[str], Path], variant: str, clip_folder: Path, clip_compression: Path
) -> None:
    def language(**options: str) -> object:
        given = ModelOptions.model_validate(options)
        return load_model(reference_weights(variant), options=given).language

    neither, folder_only = language(), language(clip_folder=str(clip_folder))
    assert isinstance(neither, NoTexts)
    assert not neither.faulty
    assert "hf download openai/clip-vit-large-patch14-336" in neither.reason
    assert "clip_reduction_pca.npz" in neither.reason
    assert isinstance(folder_only, NoTexts)
    assert folder_only.faulty
    assert "hf download" not in folder_only.reason
    both = language(clip_folder=str(clip_folder), clip_compression=str(clip_compression))
    assert isinstance(both, ClipTextSpace)


def test_a_lower_precision_changes_the_field_a_little(frame: MultiViewFrame) -> None:
    plain, lowered = load_model(), load_model(options=ModelOptions(dtype="bfloat16"))
    size = plain.predictor.input_size
    images = torch.nn.functional.interpolate(frame.images, size, mode="bilinear")
    frame = replace(frame, images=images, rig=frame.rig.resized(*size))
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([30.0, 10.0, 2.0])
    with torch.inference_mode():
        exact, found = (model.predictor.encode_frame(frame).query(points).logits for model in (plain, lowered))
    assert not torch.equal(exact, found)
    assert float((exact - found).abs().median()) < 0.2
