"""Where a run computes: one process, or the many that `torchrun` starts, through Lightning Fabric."""

import os
from typing import TYPE_CHECKING

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.training.config import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def create_fabric(config: TrainConfig) -> "Fabric":
    """Joins the processes that `torchrun` started, one for each device; without it there is one process.

    Args:
        config: Device and precision of the run.

    Raises:
        ConfigurationError: If the device is not there.
    """
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    kind, _, number = config.device.partition(":")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not torch.cuda.is_available()):
        raise ConfigurationError(f"device {config.device!r} is not usable here: use auto, cpu or cuda")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        devices: list[int] | int = [int(number)] if number else 1
        return Fabric(accelerator=kind, devices=devices, precision=config.precision)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    # Steps of the depth stages alone, and those without the second stage, leave parameters out.
    strategy = DDPStrategy(find_unused_parameters=True)
    fabric = Fabric(
        accelerator=kind,
        devices=local,
        num_nodes=processes // local,
        strategy=strategy,
        precision=config.precision,
    )
    fabric.launch()
    return fabric


def share_of_batch(batch: int, rank: int, processes: int) -> range:
    """Returns the places of the batch that a process works on.

    Raises:
        ConfigurationError: If the batch cannot be shared evenly.
    """
    if batch % processes:
        raise ConfigurationError(
            f"batch: {batch} frames cannot be shared evenly among {processes} processes; choose a multiple of that"
        )
    count = batch // processes
    return range(rank * count, (rank + 1) * count)
