"""How the frames of a step are shared among processes."""

import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.processes import create_fabric, share_of_batch


@pytest.mark.parametrize(("batch", "processes"), [(1, 1), (6, 3), (8, 8)])
def test_every_frame_is_worked_on_once(batch: int, processes: int) -> None:
    shares = [share_of_batch(batch, rank, processes) for rank in range(processes)]
    assert [place for share in shares for place in share] == list(range(batch))
    assert len({len(share) for share in shares}) == 1


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="3 frames cannot be shared evenly among 2 processes"):
        share_of_batch(3, 0, 2)


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="use auto, cpu or cuda"):
        create_fabric(TrainConfig(device=device))


def test_alone_there_is_one_process() -> None:
    fabric = create_fabric(TrainConfig(device="cpu"))
    assert (fabric.world_size, fabric.global_rank, fabric.device.type) == (1, 0, "cpu")
