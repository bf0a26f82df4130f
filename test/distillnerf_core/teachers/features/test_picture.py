import numpy as np
import torch

from distillnerf_core.perception.pictures.colors import INVALID_COLOR
from distillnerf_core.teachers.features.picture import feature_picture
from distillnerf_core.teachers.features.reader import FeatureImage


def halves(left: torch.Tensor, right: torch.Tensor) -> FeatureImage:
    features = torch.zeros(len(left), 6, 8)
    features[:, :, :4] = left[:, None, None]
    features[:, :, 4:] = right[:, None, None]
    return FeatureImage(features, torch.ones(6, 8, dtype=torch.bool))


def test_alike_features_have_alike_colours_in_all_images() -> None:
    a, b, c = torch.eye(3) * 2.0
    image = np.full((60, 80, 3), 90, np.uint8)
    picture = feature_picture([(image, halves(a, b)), (image, halves(b, c))])
    assert picture.shape == (720, 960, 3)
    assert (picture[:360, :480] == 90).all()
    first_b, second_b = picture[180, 900], picture[540, 500]
    np.testing.assert_array_equal(first_b, second_b)
    colors = {tuple(color) for color in (picture[180, 500], first_b, picture[540, 900])}
    assert len(colors) == 3


def test_what_is_not_known_is_dark() -> None:
    features = halves(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    valid = features.valid.clone()
    valid[:, 4:] = False
    picture = feature_picture([(np.zeros((60, 80, 3), np.uint8), FeatureImage(features.features, valid))])
    np.testing.assert_array_equal(picture[180, 900], INVALID_COLOR)
    nothing = FeatureImage(features.features, torch.zeros_like(valid))
    assert (feature_picture([(np.zeros((60, 80, 3), np.uint8), nothing)])[:, 480:] == INVALID_COLOR).all()
