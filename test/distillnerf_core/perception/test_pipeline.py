from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distillnerf_core.errors import CheckpointError, ConfigurationError, QueryError
from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.language.classes import UNKNOWN
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.perception.classes import checkpoint_classes, named_classes
from distillnerf_core.perception.config import OccupancyConfig, PerceptionConfig
from distillnerf_core.perception.pipeline import PerceptionPipeline, choose_device, fit_frame
from distillnerf_core.perception.query import TextQuery
from distillnerf_core.perception.results import Output, PerceptionResult


def test_every_output_is_well_formed(result: PerceptionResult, frame: MultiViewFrame) -> None:
    assert result.depth is not None
    assert result.semantics is not None
    assert result.rgb is not None
    assert result.occupancy is not None
    assert result.stamp_ns == frame.stamp_ns
    assert result.depth.z_depth_m.shape == result.semantics.shape == (3, 16, 32)
    assert result.depth.rig.names == frame.rig.names
    assert result.rgb.shape == frame.images.shape
    assert bool(((result.rgb >= 0) & (result.rgb <= 1)).all())
    assert result.occupancy.labels.shape == (200, 200, 16)
    dense = result.occupancy.density > OccupancyConfig().density_threshold
    assert torch.equal(result.occupancy.occupied_mask, dense)


def test_a_missing_camera_is_marked(result: PerceptionResult) -> None:
    assert result.depth is not None
    assert result.semantics is not None
    assert result.rgb is not None
    depth = result.depth.z_depth_m
    assert bool(depth[1].isnan().all())
    assert not bool(depth[[0, 2]].isnan().any())
    assert bool((result.semantics[1] == UNKNOWN).all())
    assert not bool(result.rgb[1].any())


def test_the_same_frame_gives_the_same_result(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    again = pipeline.perceive(frame)
    assert again.occupancy is not None
    assert result.occupancy is not None
    assert torch.equal(again.occupancy.labels, result.occupancy.labels)
    assert torch.equal(again.occupancy.occupied.features, result.occupancy.occupied.features)


def test_only_what_is_asked_for_is_computed(pipeline: PerceptionPipeline, frame: MultiViewFrame) -> None:
    depth_only = pipeline.perceive(frame, frozenset({Output.DEPTH}))
    assert depth_only.depth is not None
    assert (depth_only.rgb, depth_only.semantics, depth_only.occupancy) == (None, None, None)
    nothing = pipeline.perceive(frame, frozenset())
    assert nothing.depth is None
    assert nothing.timings.as_dict()["render"] < depth_only.timings.as_dict()["render"]


def test_occupancy_does_not_depend_on_other_outputs(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    alone = pipeline.perceive(frame, frozenset({Output.OCCUPANCY}))
    assert alone.occupancy is not None
    assert result.occupancy is not None
    assert torch.equal(alone.occupancy.labels, result.occupancy.labels)


def test_unknown_voxels_are_an_option(checkpoint: Path, frame: MultiViewFrame, result: PerceptionResult) -> None:
    config = PerceptionConfig(occupancy=OccupancyConfig(mark_unknown=False))
    plain = PerceptionPipeline.from_checkpoint(checkpoint, config, "cpu").perceive(frame)
    assert plain.occupancy is not None
    assert result.occupancy is not None
    assert not bool((plain.occupancy.labels == UNKNOWN).any())
    assert bool((result.occupancy.labels == UNKNOWN).any())
    assert torch.equal(plain.occupancy.occupied_mask, result.occupancy.occupied_mask)


def test_frames_of_another_size_are_resized(frame: MultiViewFrame) -> None:
    fitted = fit_frame(frame, 16, 32)
    assert fitted.images.shape == (3, 3, 16, 32)
    torch.testing.assert_close(fitted.rig.intrinsics[:, :2], frame.rig.intrinsics[:, :2] / 2)
    assert fit_frame(frame, 32, 64) is frame


def test_texts_are_answered_for_voxels_and_pixels(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    query = TextQuery(("automobile", "oak tree"))
    answer = pipeline.query(result, query)
    assert result.occupancy is not None
    assert answer.scores.shape == (2, len(result.occupancy.occupied.index))
    heat = pipeline.query_images(result, query)
    assert heat.shape == (2, 3, 16, 32)
    assert bool(((heat >= 0) & (heat <= 1)).all())
    assert not bool(heat[:, 1].any())


def test_features_are_painted_alike_whatever_else_is_asked(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    alone = pipeline.perceive(frame, frozenset({Output.FEATURES})).features
    assert alone is not None
    assert result.features is not None
    assert alone.shape == (3, 3, 16, 32)
    torch.testing.assert_close(alone, result.features)
    assert not bool(alone[1].any())
    assert float(alone[0].std()) > 0.01


def test_a_query_before_the_first_frame_says_so(pipeline: PerceptionPipeline) -> None:
    with pytest.raises(QueryError, match="no frame perceived yet"):
        pipeline.query(None, TextQuery(("car",)))


def test_a_query_needs_the_outputs_it_reads(pipeline: PerceptionPipeline, result: PerceptionResult) -> None:
    with pytest.raises(QueryError, match="occupancy"):
        pipeline.query(replace(result, occupancy=None), TextQuery(("car",)))


def test_outputs_that_nobody_asked_for_are_added_later(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    bare = pipeline.perceive(frame, frozenset())
    later = pipeline.complete(bare)
    for name in ("rgb", "semantics", "language"):
        assert getattr(bare, name) is None
        torch.testing.assert_close(getattr(later, name), getattr(result, name))
    assert later.depth is not None
    assert result.depth is not None
    torch.testing.assert_close(later.depth.z_depth_m, result.depth.z_depth_m, equal_nan=True)
    assert later.occupancy is not None
    assert result.occupancy is not None
    assert torch.equal(later.occupancy.labels, result.occupancy.labels)
    assert pipeline.complete(later) is later


def test_heat_needs_no_images_of_the_result(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    query = TextQuery(("automobile",))
    bare = pipeline.perceive(frame, frozenset({Output.OCCUPANCY}))
    torch.testing.assert_close(pipeline.query_images(bare, query), pipeline.query_images(result, query))


def test_other_classes_label_the_next_frame(
    checkpoint: Path, encoder: MiniLmEncoder, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    pipeline = PerceptionPipeline.from_checkpoint(checkpoint, device="cpu", encoder=encoder)
    names = ["road", "car", "forklift"]
    pipeline.classes = named_classes(pipeline.language, names)
    relabelled = pipeline.perceive(frame)
    assert relabelled.occupancy is not None
    assert relabelled.semantics is not None
    assert result.occupancy is not None
    assert relabelled.occupancy.classes.names == tuple(names)
    assert set(relabelled.occupancy.labels.unique().tolist()) <= {0, 1, 2, 3, UNKNOWN}
    assert set(relabelled.semantics.unique().tolist()) <= {0, 1, 2, 3, UNKNOWN}
    assert torch.equal(relabelled.occupancy.occupied_mask, result.occupancy.occupied_mask)
    assert torch.equal(relabelled.occupancy.labels == UNKNOWN, result.occupancy.labels == UNKNOWN)
    pipeline.classes = checkpoint_classes(pipeline.language)
    again = pipeline.perceive(frame).occupancy
    assert again is not None
    assert torch.equal(again.labels, result.occupancy.labels)


def test_a_frame_without_cameras_is_refused(pipeline: PerceptionPipeline, frame: MultiViewFrame) -> None:
    with pytest.raises(QueryError, match="no camera"):
        pipeline.perceive(replace(frame, camera_mask=torch.zeros(3, dtype=torch.bool)))


def test_a_missing_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        PerceptionPipeline.from_checkpoint(tmp_path / "none.safetensors", device="cpu")


@pytest.mark.parametrize("name", ["cuda:77", "toaster"])
def test_an_unusable_device_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match="auto, cpu or cuda"):
        choose_device(name)
    assert choose_device("auto").type in {"cpu", "cuda"}


def test_masked_pixels_are_nan_in_depth_unknown_in_classes_and_see_nothing(
    pipeline: PerceptionPipeline, frame: MultiViewFrame, result: PerceptionResult
) -> None:
    valid = torch.ones(3, 32, 64, dtype=torch.bool)
    valid[0, :, :33] = False
    masked = pipeline.perceive(replace(frame, valid=valid))
    assert masked.depth is not None
    assert masked.semantics is not None
    assert masked.occupancy is not None
    assert result.occupancy is not None
    hidden = torch.zeros(3, 16, 32, dtype=torch.bool)
    hidden[0, :, :17] = True
    hidden[1] = True
    assert torch.equal(masked.depth.z_depth_m.isnan(), hidden)
    assert torch.equal(masked.semantics == UNKNOWN, hidden)
    # Left of the robot and before it, where only the masked half of the front camera looks.
    front_left = (slice(120, 180), slice(110, 120), slice(4, 8))
    assert bool((masked.occupancy.labels[front_left] == UNKNOWN).float().mean() > 0.9)
    assert not bool((result.occupancy.labels[front_left] == UNKNOWN).all())


def test_warming_up_needs_no_frame(pipeline: PerceptionPipeline) -> None:
    pipeline.warm_up()
