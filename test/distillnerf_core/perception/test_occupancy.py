from dataclasses import dataclass

import pytest
import torch

from distillnerf_core.language.classes import CLASS_NAMES, FREE
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.codec_space import CodecTextSpace
from distillnerf_core.language.encoders import MiniLmEncoder
from distillnerf_core.language.text_space import NoTexts
from distillnerf_core.perception.config import OccupancyConfig
from distillnerf_core.perception.occupancy import nearest_class, occupancy_from_field

_CAR, _ROAD = CLASS_NAMES.index("car"), CLASS_NAMES.index("driveable_surface")


@dataclass(frozen=True)
class _Slabs:
    """Row 0: a car at 5 m < x < 6 m; row 1: a road at z < -0.7 m elsewhere; row 2: nothing."""

    logits: torch.Tensor
    language: torch.Tensor

    def rows(self, points_m: torch.Tensor) -> torch.Tensor:
        x, _, z = points_m.unbind(1)
        road = torch.where(z < -0.7, 1, 2)
        return torch.where((x > 5) & (x < 6), 0, road)


@pytest.fixture
def language(codec: FeatureCodec, encoder: MiniLmEncoder) -> CodecTextSpace:
    return CodecTextSpace(codec, encoder)


@pytest.fixture
def field(codec: FeatureCodec) -> _Slabs:
    language = torch.stack((3 * codec.class_features[_CAR], codec.class_features[_ROAD], codec.class_features[17]))
    return _Slabs(torch.tensor([3.0, 2.0, -10.0]), language)


def test_voxels_take_density_and_class_of_the_field(field: _Slabs, language: CodecTextSpace) -> None:
    occupancy = occupancy_from_field(field, language, OccupancyConfig())
    centers = occupancy.grid.centers_m()
    car = (centers[..., 0] > 5) & (centers[..., 0] < 6)
    road = (centers[..., 2] < -0.7) & ~car
    assert bool((occupancy.labels[car] == _CAR).all())
    assert bool((occupancy.labels[road] == _ROAD).all())
    assert bool((occupancy.labels[~car & ~road] == FREE).all())
    density = float(torch.exp(torch.tensor(2.0)))
    torch.testing.assert_close(occupancy.density[car], torch.full((int(car.sum()),), density))
    expected = 1 - torch.exp(torch.tensor(-density * 0.4))
    torch.testing.assert_close(occupancy.confidence[car][0], expected)


def test_occupied_voxels_carry_their_position_and_feature(
    field: _Slabs, codec: FeatureCodec, language: CodecTextSpace
) -> None:
    occupancy = occupancy_from_field(field, language, OccupancyConfig())
    voxels = occupancy.occupied
    assert torch.equal(voxels.index, occupancy.occupied_mask.nonzero())
    x, y, z = voxels.index.unbind(1)
    torch.testing.assert_close(voxels.centers_m(occupancy.grid), occupancy.grid.centers_m()[x, y, z])
    assert torch.equal(nearest_class(voxels.features, codec.class_features), occupancy.labels[x, y, z])


def test_more_heights_find_thin_layers(field: _Slabs, language: CodecTextSpace) -> None:
    coarse = OccupancyConfig(range=(0.0, 0.0, -1.0, 2.0, 2.0, 1.0), voxel_size_m=1.0, vertical_samples=1)
    fine = coarse.model_copy(update={"vertical_samples": 4})
    assert not occupancy_from_field(field, language, coarse).occupied_mask.any()
    found = occupancy_from_field(field, language, fine)
    assert found.occupied_mask[..., 0].all()
    assert not found.occupied_mask[..., 1].any()


def test_without_texts_all_that_is_occupied_is_others(field: _Slabs) -> None:
    occupancy = occupancy_from_field(field, NoTexts("no texts"), OccupancyConfig())
    assert occupancy.labels.unique().tolist() == [0, FREE]
    assert bool((occupancy.occupied.features[occupancy.occupied.index[:, 0] < 100] == field.language[1]).all())


def test_the_sky_is_no_label_of_a_voxel(codec: FeatureCodec, language: CodecTextSpace) -> None:
    sky = _Slabs(torch.tensor([3.0, 3.0, 3.0]), codec.class_features[[17, 17, 17]])
    occupancy = occupancy_from_field(sky, language, OccupancyConfig())
    assert int(occupancy.labels.max()) < FREE


def test_the_grid_of_the_configuration_is_that_of_occ3d() -> None:
    grid = OccupancyConfig().grid()
    assert grid.size == (200, 200, 16)
    assert grid.upper_m == pytest.approx((40.0, 40.0, 5.4))


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match="lower corner below upper corner"):
        OccupancyConfig(range=(0.0, 0.0, 0.0, 1.0, -1.0, 1.0))
