import torch
from torch.nn.functional import normalize

from distillnerf_core.language.compression import FeaturePca, fit_feature_pca


def _texts(count: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(count, 40, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_the_basis_is_orthonormal_and_the_mean_is_that_of_the_classes() -> None:
    classes = _texts(6, 0)
    pca = fit_feature_pca(classes, _texts(50, 1), channels=12)
    torch.testing.assert_close(pca.basis.T @ pca.basis, torch.eye(12), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(pca.mean, classes.mean(dim=0))


def test_with_all_channels_cosines_are_kept() -> None:
    classes, words = _texts(6, 0), _texts(50, 1)
    pca = fit_feature_pca(classes, words, channels=40)
    exact = normalize(words - pca.mean, dim=1)
    reduced = pca.reduce(words)
    torch.testing.assert_close(reduced @ reduced.T, exact @ exact.T, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pca.expand(reduced), exact, atol=1e-5, rtol=1e-5)


def test_classes_survive_compression() -> None:
    classes = _texts(6, 0)
    pca = fit_feature_pca(classes, _texts(50, 1), channels=10, class_weight=20.0)
    assert float(pca.reduce(classes).norm(dim=1).min()) > 0.99


def test_a_text_outside_the_basis_becomes_short() -> None:
    pca = FeaturePca(torch.zeros(3), torch.eye(3)[:, :2])
    reduced = pca.reduce(torch.tensor([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]]))
    torch.testing.assert_close(reduced.norm(dim=1), torch.tensor([0.0, 0.6]))


def test_the_fit_does_not_depend_on_the_order_of_words() -> None:
    classes, words = _texts(6, 0), _texts(50, 1)
    a = fit_feature_pca(classes, words, channels=8)
    b = fit_feature_pca(classes, words.flip(0), channels=8)
    torch.testing.assert_close(a.basis, b.basis, atol=1e-4, rtol=1e-4)
