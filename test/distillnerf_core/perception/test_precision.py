"""What precision a GPU's convolutions have is the process's choice, which loading and running leave alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distillnerf_core.frames import MultiViewFrame
from distillnerf_core.perception.pipeline import PerceptionPipeline


def _settings() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return (
        cudnn.allow_tf32,
        cudnn.benchmark,
        cudnn.deterministic,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision(),
        torch.get_default_dtype(),
        torch.is_autocast_enabled("cpu"),
    )


@pytest.mark.parametrize("tf32", [True, False])
def test_the_process_keeps_its_precision(
    frame: MultiViewFrame, reference_weights: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tf32: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
    before = _settings()
    PerceptionPipeline.from_checkpoint(reference_weights("reference-linear"), device="cpu").perceive(frame)
    assert _settings() == before
