import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from distillnerf_core.errors import DataError
from distillnerf_core.language.codec import FeatureCodec
from distillnerf_core.language.compression import FeaturePca
from distillnerf_core.language.prompts import CLASS_PROMPTS
from distillnerf_core.teachers.features.labels import LabelTeacher
from distillnerf_core.teachers.features.teacher import FeatureTeacher, ImageBatch

CAR, ROAD, SKY, UNKNOWN = 4, 11, 17, 255


@pytest.fixture(scope="module")
def codec() -> FeatureCodec:
    features = normalize(torch.randn(18, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    return FeatureCodec(FeaturePca(torch.zeros(6), torch.eye(6)), features, tuple(CLASS_PROMPTS), "test")


def batch(labels: list[list[int]]) -> ImageBatch:
    pixels = torch.tensor([labels], dtype=torch.uint8)
    return ImageBatch(torch.zeros(1, 3, *pixels.shape[1:]), pixels)


def test_cells_have_the_feature_of_their_commonest_known_class(codec: FeatureCodec) -> None:
    labels = [
        [CAR, CAR, ROAD, ROAD, UNKNOWN, UNKNOWN],
        [CAR, ROAD, ROAD, SKY, UNKNOWN, UNKNOWN],
        [UNKNOWN, UNKNOWN, SKY, SKY, 254, 254],
        [UNKNOWN, CAR, SKY, SKY, 254, 254],
    ]
    features = LabelTeacher(codec, stride_px=2).features(batch(labels))[0]
    expected = [[CAR, ROAD, None], [CAR, SKY, None]]
    for row, classes in enumerate(expected):
        for column, number in enumerate(classes):
            if number is None:
                assert features[:, row, column].isnan().all()
            else:
                torch.testing.assert_close(features[:, row, column], codec.class_features[number])


def test_a_detector_takes_the_place_of_given_labels(codec: FeatureCodec) -> None:
    def bright_is_sky(images: Tensor) -> Tensor:
        return torch.where(images.mean(dim=1) > 0.5, SKY, ROAD).to(torch.uint8)

    teacher = LabelTeacher(codec, stride_px=2, labeller=bright_is_sky)
    assert isinstance(teacher, FeatureTeacher)
    images = torch.cat((torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)), dim=3)
    features = teacher.features(ImageBatch(images))[0, :, 0]
    torch.testing.assert_close(features.T, codec.class_features[[SKY, ROAD]])


def test_without_labels_there_is_an_error(codec: FeatureCodec) -> None:
    with pytest.raises(DataError, match="needs the classes of pixels"):
        LabelTeacher(codec).features(ImageBatch(torch.zeros(1, 3, 14, 14)))


def test_working_images_hold_whole_cells(codec: FeatureCodec) -> None:
    teacher = LabelTeacher(codec, stride_px=7, short_side_px=70)
    assert teacher.working_size(900, 1600) == (70, 126)
    assert teacher.channels == 6
    assert teacher.margin_px == 0.0
    assert "sky" in teacher.description["classes"]
