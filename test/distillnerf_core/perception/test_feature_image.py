import torch
from torch.nn.functional import normalize

from distillnerf_core.perception.feature_image import channel_colors, class_colors


def test_classes_get_colors_within_the_range_and_apart() -> None:
    generator = torch.Generator().manual_seed(3)
    features = normalize(torch.randn(18, 24, generator=generator), dim=1)
    colors = class_colors(features).paint(features.T[None, :, None])[0, :, 0].T
    assert float(colors.min()) > 0.05
    assert float(colors.max()) < 0.95
    apart = torch.cdist(colors, colors) + 9 * torch.eye(18)
    assert float(apart.min()) > 0.02


def test_the_components_are_those_of_greatest_variance() -> None:
    generator = torch.Generator().manual_seed(4)
    features = normalize(torch.randn(18, 5, generator=generator) * torch.tensor([0.1, 5.0, 0.1, 4.0, 3.0]), dim=1)
    basis = class_colors(features).basis
    torch.testing.assert_close(basis.T @ basis, torch.eye(3), rtol=1e-5, atol=1e-5)
    others = torch.linalg.qr(torch.randn(5, 3, generator=generator)).Q
    assert float((features @ basis).var(dim=0).sum()) > float((features @ others).var(dim=0).sum())
    assert bool((basis.gather(0, basis.abs().argmax(dim=0, keepdim=True)) > 0).all())


def test_length_does_not_change_a_color() -> None:
    features = torch.randn(1, 6, 2, 2, generator=torch.Generator().manual_seed(5))
    colors = channel_colors(6)
    torch.testing.assert_close(colors.paint(features), colors.paint(7.0 * features))
    assert colors.paint(features).shape == (1, 3, 2, 2)
