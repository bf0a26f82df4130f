import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distillnerf_core.errors import DataError
from distillnerf_core.teachers.features.quantised import quantise


@given(values=arrays("float32", (3, 4, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_error_bound_holds(values: object) -> None:
    features = torch.tensor(values)
    quantised = quantise(features)
    error = (quantised.restore().double() - features.double()).abs().amax(dim=(1, 2))
    assert (error <= quantised.error_bound().double()).all()
    assert quantised.valid.all()


def test_the_bound_is_tight() -> None:
    features = torch.linspace(0.0, 1.0, 10_001).reshape(1, 73, 137)
    quantised = quantise(features)
    error = (quantised.restore() - features).abs().max()
    assert float(error) == pytest.approx(1 / 510, rel=0.01)
    assert float(quantised.error_bound()) == pytest.approx(1 / 510, rel=0.01)


@given(values=arrays("float32", (2, 3, 4), elements=st.floats(-10, 10, width=32) | st.just(float("nan"))))
def test_what_is_not_known_does_not_touch_the_rest(values: object) -> None:
    features = torch.tensor(values)
    quantised = quantise(features)
    known = ~features.isnan().any(dim=0)
    assert torch.equal(quantised.valid, known)
    error = (quantised.restore() - features).abs()[:, known]
    assert (error <= quantised.error_bound()[:, None]).all()


def test_infinite_features_are_refused_where_they_count() -> None:
    features = torch.tensor([[[1.0, torch.inf]]])
    with pytest.raises(DataError, match="infinite"):
        quantise(features)
    assert quantise(features, torch.tensor([[True, False]])).valid.tolist() == [[True, False]]
