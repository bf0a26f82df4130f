"""The published CLIP variant from images to answers, with a small random network and a small random CLIP."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity

from distillnerf_core.errors import LanguageError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.language.classes import FREE, SKY, UNKNOWN
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.model.loading import load_model
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.perception.config import PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import PerceptionResult

_CONFIG = PerceptionConfig.model_validate({"occupancy": {"density_threshold": 0.1, "vertical_samples": 1}})


@pytest.fixture(scope="module")
def clip_pipeline(
    reference_weights: Callable[[str], Path], clip_folder: Path, clip_compression: Path
) -> PerceptionPipeline:
    options = ModelOptions(clip_folder=str(clip_folder), clip_compression=str(clip_compression))
    return PerceptionPipeline.from_checkpoint(reference_weights("reference-clip"), _CONFIG, "cpu", options=options)


@pytest.fixture(scope="module")
def clip_result(clip_pipeline: PerceptionPipeline, frame: MultiViewFrame) -> PerceptionResult:
    return clip_pipeline.perceive(frame)


def test_voxels_and_pixels_get_classes(clip_pipeline: PerceptionPipeline, clip_result: PerceptionResult) -> None:
    classes = clip_pipeline.language.class_features
    occupancy, semantics, language = clip_result.occupancy, clip_result.semantics, clip_result.language
    assert classes is not None
    assert occupancy is not None
    assert semantics is not None
    assert language is not None
    assert clip_result.rgb is None
    voxels = occupancy.occupied
    held = clip_result.field.query(voxels.centers_m(occupancy.grid)).features
    torch.testing.assert_close(voxels.features, 2 * held - 1)
    nearest = cosine_similarity(voxels.features[:, None], classes[None, :17], dim=2).argmax(dim=1)
    assert torch.equal(occupancy.labels[occupancy.occupied_mask].long(), nearest)
    assert len(nearest.unique()) > 1
    shown = semantics < SKY
    assert bool(shown.any())
    of_pixels = cosine_similarity(language[:, None], classes[None, :, :, None, None], dim=2).argmax(dim=1)
    assert torch.equal(semantics[shown].long(), of_pixels[shown])
    assert bool((semantics[1] == UNKNOWN).all())


def test_a_voxel_means_what_its_picture_means(
    clip_pipeline: PerceptionPipeline,
    clip_result: PerceptionResult,
    frame: MultiViewFrame,
    reference_weights: Callable[[str], Path],
) -> None:
    predictor = load_model(reference_weights("reference-clip")).predictor
    field = clip_result.field
    feature = torch.linspace(-1, 2, 64)
    walls = replace(field, logits=torch.full_like(field.logits, 9.0), language=feature.expand_as(field.language))
    with torch.inference_mode():
        views = predictor.render(walls, frame.rig.resized(4, 8))
    assert views.language is not None
    expected = clip_pipeline.language.voxel_features(feature[None])[0]
    torch.testing.assert_close(views.language[0, :, 2, 4], expected, rtol=1e-4, atol=1e-4)


def test_texts_of_a_list_share_every_voxel_and_pixel(
    clip_pipeline: PerceptionPipeline, clip_result: PerceptionResult
) -> None:
    query = TextQuery(("car", "tree", "road"))
    answer = clip_pipeline.query(clip_result, query)
    torch.testing.assert_close(answer.scores.sum(dim=0), torch.ones(len(answer.centers_m)))
    assert int(answer.count.sum()) > 0
    assert {region.text for region in answer.regions} <= set(query.texts)
    heat = clip_pipeline.query_images(clip_result, query)
    assert clip_result.semantics is not None
    shown = (clip_result.semantics < SKY).float()
    torch.testing.assert_close(heat.sum(dim=0), shown)


def test_a_text_alone_is_not_everywhere(clip_pipeline: PerceptionPipeline, clip_result: PerceptionResult) -> None:
    alone = clip_pipeline.query(clip_result, TextQuery(("car",)))
    assert float(alone.scores.min()) < 0.1


def test_the_configured_temperature_counts(
    clip_pipeline: PerceptionPipeline, reference_weights: Callable[[str], Path]
) -> None:
    query = TextQuery(("car", "tree"))
    features = torch.randn(50, 64, generator=torch.Generator().manual_seed(1))
    published = clip_pipeline.encode_query(query).score(features)
    hot = PerceptionConfig.model_validate({"query": {"temperature": 10.0}})
    warm = PerceptionPipeline(load_model(reference_weights("reference-clip")).predictor, clip_pipeline.language, hot)
    assert float((warm.encode_query(query).score(features) - 0.5).abs().max()) < 0.1
    assert float((published - 0.5).abs().mean()) > 0.4


def test_without_files_space_is_perceived_and_texts_are_refused(
    reference_weights: Callable[[str], Path], frame: MultiViewFrame, clip_result: PerceptionResult
) -> None:
    pipeline = PerceptionPipeline.from_checkpoint(reference_weights("reference-clip"), _CONFIG, "cpu")
    assert isinstance(pipeline.language, NoTexts)
    result = pipeline.perceive(frame)
    assert result.depth is not None
    assert result.occupancy is not None
    assert clip_result.occupancy is not None
    assert result.semantics is None
    assert set(result.occupancy.labels.unique().tolist()) == {0, FREE, UNKNOWN}
    assert torch.equal(result.occupancy.occupied_mask, clip_result.occupancy.occupied_mask)
    for ask in (pipeline.query, pipeline.query_images):
        with pytest.raises(LanguageError, match=r"clip_folder.*hf download.*clip_reduction_pca\.npz"):
            ask(result, TextQuery(("car",)))
