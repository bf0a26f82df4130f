"""Frames find the features of their own images and of the key-frames beside them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from analytic_drive import AnalyticDrive, Block

from distillnerf_core.data.simulated import DatasetConfig, SimulatedDataset, write_dataset
from distillnerf_core.errors import DataError
from distillnerf_core.frames import OtherViews, SupervisedFrame
from distillnerf_core.simulation.simulator import SimulationConfig
from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache, FeatureIndex
from distillnerf_core.teachers.features.drive_features import DriveFeatures
from distillnerf_core.teachers.features.quantised import quantise
from distillnerf_core.teachers.features.sources import DriveSource, SimulatedSource
from distillnerf_core.training.augmentation import mirror
from distillnerf_core.training.config import ObjectiveConfig
from distillnerf_core.training.drive_supervision import DriveSupervisor, SupervisionConfig
from distillnerf_core.training.feature_frames import FeaturedFrames
from distillnerf_core.training.objective import drop_cameras
from distillnerf_core.training.prepared import PreparedFrames, prepare

DRIVE = AnalyticDrive((Block((25.0, -30.0, 0.0), (26.0, 30.0, 6.0)),), name="street", speed_m_s=4.0, seconds=1.0)
SIZE = (44, 80)


def cache_of(folder: Path, keys: list[str]) -> DriveFeatures:
    """Writes features whose first channel is the number of the image, and whose second one grows to the right."""
    plan = CompressionPlan(kind="none", channels=2)
    cache = FeatureCache(folder, FeatureIndex(teacher="clip", description={}, margin_px=0.0, compression=plan))
    for number, key in enumerate(keys):
        columns = torch.arange(8.0).expand(4, 8)
        cache.write(key, quantise(torch.stack((torch.full((4, 8), float(number)), columns))), (16, 32))
    return DriveFeatures(folder)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> PreparedFrames:
    folder = tmp_path_factory.mktemp("frames") / "set"
    config = SupervisionConfig()
    list(prepare(folder, [DriveSupervisor(DRIVE, None, config)], SIZE, config))
    return PreparedFrames(folder)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> DriveFeatures:
    return cache_of(tmp_path_factory.mktemp("features"), [image.key for image in DriveSource([DRIVE])])


def test_every_image_gets_its_own_features(frames: PreparedFrames, features: DriveFeatures) -> None:
    featured = FeaturedFrames(frames, features, (22, 40), sky=True, neighbours=True)
    assert len(featured) == len(frames) == 3
    frame = featured[1]
    assert frame.features is not None
    # One camera, so that images and key-frames have the same numbers.
    assert frame.features.shape == (1, 2, 22, 40)
    assert (frame.features[0, 0] == 1.0).all()
    beside = {views.name: views.features for views in frame.others}
    assert beside.keys() == {"next", "previous"}
    for name, number in (("next", 2.0), ("previous", 0.0)):
        found = beside[name]
        assert found is not None
        assert (found[0, 0][~found[0, 0].isnan()] == number).all()
    alone = FeaturedFrames(frames, features, (22, 40), sky=True, neighbours=False)[1]
    assert all(views.features is None for views in alone.others)


def test_the_sky_can_be_left_out(frames: PreparedFrames, features: DriveFeatures) -> None:
    class Clear:
        """The frames, with sky in the upper half."""

        def __len__(self) -> int:
            return len(frames)

        def __getitem__(self, index: int) -> SupervisedFrame:
            distance = frames[index].ray_distance_m.clone()
            distance[:, : SIZE[0] // 2] = torch.inf
            return replace(frames[index], ray_distance_m=distance)

        def feature_key(self, index: int, camera: str, stamp_ns: int) -> str:
            return frames.feature_key(index, camera, stamp_ns)

    found = FeaturedFrames(Clear(), features, (22, 40), sky=False, neighbours=False)[0].features
    assert found is not None
    assert found[:, :, :11].isnan().all() and not found[:, :, 11:].isnan().any()
    whole = FeaturedFrames(Clear(), features, (22, 40), sky=True, neighbours=False)[0].features
    assert whole is not None and not whole.isnan().any()


def test_features_follow_mirrors_and_cameras(flat_road: SupervisedFrame) -> None:
    features = torch.arange(2.0)[:, None, None, None] + torch.arange(32.0).expand(2, 3, 16, 32)
    others = OtherViews(
        "next",
        flat_road.frame.rig,
        flat_road.frame.images,
        flat_road.ray_distance_m,
        torch.ones_like(flat_road.ray_distance_m),
        camera_stamps_ns=(7, 8),
        features=features,
    )
    frame = replace(flat_road, features=features, others=(others,))
    mirrored = mirror(frame)
    assert mirrored.features is not None and torch.equal(mirrored.features, features.flip(-1))
    assert mirrored.others[0].features is not None and torch.equal(mirrored.others[0].features, features.flip(-1))
    config = ObjectiveConfig(cameras=(1,))
    for seed in range(4):
        kept = drop_cameras(frame, config, torch.Generator().manual_seed(seed))
        number = flat_road.frame.rig.names.index(kept.frame.rig.names[0])
        assert kept.features is not None and torch.equal(kept.features[0], features[number])
        beside = kept.others[0]
        assert beside.camera_stamps_ns == (7 + number,)
        assert beside.features is not None and torch.equal(beside.features[0], features[number])


def test_missing_images_are_named(frames: PreparedFrames, tmp_path: Path) -> None:
    empty = cache_of(tmp_path, [])
    with pytest.raises(DataError, match="no features of image 'street/CAM_FRONT"):
        FeaturedFrames(frames, empty, (22, 40), sky=True, neighbours=False)[0]


def test_simulated_data_sets_have_features_too(tmp_path: Path) -> None:
    size = SimulationConfig(height=32, width=64, supersampling=1, shadows=False)
    list(write_dataset(tmp_path / "streets", DatasetConfig(scenes=2, other_views=1, simulation=size)))
    dataset = SimulatedDataset(tmp_path / "streets")
    features = cache_of(tmp_path / "features", [image.key for image in SimulatedSource(dataset)])
    frame = FeaturedFrames(dataset, features, (16, 32), sky=True, neighbours=True)[1]
    assert frame.features is not None
    assert frame.features[:, 0, 0, 0].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert frame.others[0].features is None
