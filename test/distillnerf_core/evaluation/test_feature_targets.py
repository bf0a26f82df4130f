"""Stored features of an image as the targets of an evaluation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from analytic_drive import AnalyticDrive

from distillnerf_core.errors import DataError
from distillnerf_core.evaluation.feature_targets import FeatureTargets, StoredFeatures
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.quantised import quantise
from distillnerf_core.teachers.features.sources import image_key

DRIVE = AnalyticDrive((), name="street", seconds=1.0)


def test_stored_features_are_read_at_the_size_of_the_prediction(tmp_path: Path) -> None:
    image = DRIVE.images[1]
    plan = CompressionPlan(kind="none", channels=3)
    cache = FeatureCache(tmp_path, FeatureIndex(teacher="dinov2", description={}, margin_px=0.0, compression=plan))
    columns = torch.arange(8.0).expand(3, 4, 8).clone()
    columns[:, 3] = torch.nan
    cache.write(image_key("street", image.camera, image.stamp_ns), quantise(columns), (16, 32))
    targets = StoredFeatures(tmp_path)
    assert isinstance(targets, FeatureTargets) and not targets.normalised
    assert "'dinov2'" in targets.description and tmp_path.name in targets.description
    found = targets.read(DRIVE, image, 4, 16)
    # Two pixels to a cell: a quarter of a cell to both sides of its middle, and nothing beyond the last middles.
    wanted = np.clip(np.repeat(np.arange(8.0), 2) + np.tile([-0.25, 0.25], 8), 0.0, 7.0)
    torch.testing.assert_close(found[0, 0], torch.from_numpy(wanted).float(), atol=0.02, rtol=0.0)
    assert found[:, 3].isnan().all() and not found[:, :3].isnan().any()
    with pytest.raises(DataError, match="no features of image"):
        targets.read(DRIVE, DRIVE.images[0], 4, 16)
