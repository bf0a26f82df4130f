"""The benchmark measures every stage, and notices a form that computes something else."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import reference
from benchmarks.reference_naive import pool_points
from distillnerf_core.model.reference.variants import ReferenceConfig

STAGES = ["depth prior", "coarse depth", "fine depth", "lifting and pooling", "sparse network and field"]
STAGES += ["rendering", "decoder"]


@pytest.fixture
def arguments(mini: ReferenceConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small camera; returns where the figures go."""
    monkeypatch.setattr(reference, "VARIANTS", {mini.name: mini})
    target = tmp_path / "figures.json"
    size = ["--height", "32", "--width", "48", "--cameras", "1", "--json", str(target)]
    monkeypatch.setattr(sys, "argv", ["reference", "--variant", mini.name, *size])
    return target


def test_every_stage_is_measured_and_naive_forms_agree(arguments: Path, mini: ReferenceConfig) -> None:
    reference.main()
    rows = json.loads(arguments.read_text())[mini.name]
    assert [row["stage"] for row in rows[: len(STAGES)]] == STAGES
    assert all(row["lean"]["milliseconds"] > 0.0 for row in rows)
    compared = rows[len(STAGES) :]
    assert [row["stage"].split()[0] for row in compared] == ["candidate", "pooling,", "rendering,"]
    assert all(row["difference"] <= reference.TOLERANCE and row["naive"] is not None for row in compared)


def test_a_form_that_differs_fails(arguments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*given: object) -> tuple[Tensor, ...]:
        *keys_and_fine, coarse = pool_points(*given)  # type: ignore[arg-type]
        return (*keys_and_fine, coarse + 1e-3 * coarse.abs().max())

    monkeypatch.setattr(reference, "pool_points", wrong)
    with pytest.raises(SystemExit, match="differ by more than"):
        reference.main()


def test_differences_that_no_tolerance_allows() -> None:
    values = torch.tensor([1.0, -2.0])
    assert reference.relative_difference(values, torch.tensor([1.0, -2.5])) == pytest.approx(0.2)
    assert reference.relative_difference(values, values[:1]) == float("inf")
    assert reference.relative_difference(values * float("nan"), values) == float("inf")
    assert reference.relative_difference(torch.tensor([1]), torch.tensor([2])) == float("inf")
