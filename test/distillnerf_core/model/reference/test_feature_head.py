from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distillnerf_core.model.reference import feature_head
from distillnerf_core.model.reference.feature_head import FeatureHead


def test_official_weights_give_a_bounded_perceptron(
    seeded_tensors: Callable[..., dict[str, Tensor]], load_official: Callable[..., None]
) -> None:
    tensors = seeded_tensors("model.projector.volume_renderer.")
    head = FeatureHead()
    load_official(head, tensors, feature_head.OFFICIAL_NAMES)
    rows = torch.randn(11, 64, generator=torch.Generator().manual_seed(0)) * 20
    expected = rows.double()
    for layer in (0, 2, 4):
        expected = expected @ tensors[f"net.{layer}.weight"].double().T + tensors[f"net.{layer}.bias"].double()
        if layer < 4:
            expected = expected.clamp_min(0.0)
    with torch.no_grad():
        torch.testing.assert_close(head(rows).double(), 10 * torch.tanh(expected / 10), rtol=1e-4, atol=1e-5)


def test_many_rows_pass_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    head = FeatureHead(8)
    rows = torch.randn(23, 8)
    whole = head(rows)
    monkeypatch.setattr(feature_head, "ROWS_PER_PASS", 5)
    torch.testing.assert_close(head(rows), whole)
    assert head(rows[:0]).shape == (0, 8)
