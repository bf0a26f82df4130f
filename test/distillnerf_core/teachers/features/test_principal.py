import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.features.principal import StreamedCovariance


def vectors(count: int = 300, dimensions: int = 12, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    spread = random.normal(size=(dimensions, dimensions)) * np.geomspace(10.0, 0.1, dimensions)
    return np.asarray(random.normal(size=(count, dimensions)) @ spread.T + random.normal(size=dimensions) * 50.0)


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_the_components_are_those_of_scikit_learn(cuts: list[int]) -> None:
    data = vectors()
    streamed = StreamedCovariance(12)
    for batch in np.split(data, sorted(cuts)):
        streamed.add(batch.astype(np.float32))
    reference = PCA(n_components=5, svd_solver="full").fit(data.astype(np.float32).astype(np.float64))
    components = streamed.components(5)
    np.testing.assert_allclose(streamed.mean, reference.mean_, rtol=1e-10)
    np.testing.assert_allclose(np.abs(components.T @ reference.components_.T), np.eye(5), atol=1e-8)
    variance = np.diag(components.T @ streamed.scatter @ components) / (streamed.count - 1)
    np.testing.assert_allclose(variance, reference.explained_variance_, rtol=1e-8)


def test_a_large_mean_costs_no_precision() -> None:
    data = vectors(dimensions=3) * 1e-3
    near, far = StreamedCovariance(3), StreamedCovariance(3)
    for batch in np.split(data, 10):
        near.add(batch)
        far.add(batch + 1e6)
    np.testing.assert_allclose(far.scatter, near.scatter, rtol=1e-5, atol=1e-8)


def test_the_largest_entry_of_each_component_is_positive() -> None:
    streamed = StreamedCovariance(12)
    streamed.add(vectors())
    components = streamed.components(12)
    assert (components[np.abs(components).argmax(axis=0), np.arange(12)] > 0).all()
    np.testing.assert_allclose(components.T @ components, np.eye(12), atol=1e-12)


def test_what_cannot_be_fitted_is_refused() -> None:
    streamed = StreamedCovariance(3)
    streamed.add(vectors(4, 3))
    with pytest.raises(DataError, match="expected 1 to 3 channels, got 4"):
        streamed.components(4)
    with pytest.raises(DataError, match="not finite"):
        streamed.add(np.array([[np.nan, 0, 0]]))
    small = StreamedCovariance(3)
    small.add(vectors(2, 3))
    with pytest.raises(DataError, match="2 vectors are too few for 2 channels"):
        small.components(2)
