"""The training loop: resumable, logged, in one process or many, and with averaged weights."""

import json
import logging
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import CheckpointError, ConfigurationError, DataError
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.model.checkpoint import LoadedPredictor, save_predictor
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.model.tensor_shapes import shape_problems
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.optimizers import create_optimizers
from distillnerf_core.training.perceptual import create_perceptual
from distillnerf_core.training.pictures import draw_progress
from distillnerf_core.training.processes import create_fabric, share_of_batch
from distillnerf_core.training.resumable_loop import LearningCurve, Terms, advance, mean_term
from distillnerf_core.training.run_state import load_run, save_run
from distillnerf_core.training.step import TrainingStep

if TYPE_CHECKING:
    from lightning_fabric import Fabric

logger = logging.getLogger(__name__)

_LANGUAGE_HEAD = "voxel_network.language_head."
_PLACE_STRIDE = 1_000_000_007
SHOWN = ("total", "coarse_depth", "depth", "color", "occupancy")


@runtime_checkable
class Logger(Protocol):
    """The part of TensorBoard's writer that the loop uses."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Records one value."""

    def add_image(self, tag: str, image: NDArray[np.uint8], step: int, *, dataformats: str) -> None:
        """Records a picture."""


@runtime_checkable
class FrameSource(Protocol):
    """A data set of supervised frames."""

    def __len__(self) -> int:
        """Number of frames."""

    def __getitem__(self, index: int, /) -> SupervisedFrame:
        """One frame."""


class Trainer:
    """Trains a predictor on supervised frames.

    Every random choice of a step follows from the seed, the step's number and the frame's place in the batch, so a
    resumed run repeats nothing and skips nothing, and the number of processes changes nothing but the time.

    Args:
        config: The run.
        frames: What it learns from.
        codec: What rendered features mean: with those of classes it is the teacher of the language head.
        initial: Predictor to start from; None: random weights.
        fabric: Where it computes, and with which other processes; None: as the configuration and `torchrun` say.

    Raises:
        DataError: If there are no frames.
        ConfigurationError: If the batch cannot be shared evenly among the processes, or files of LPIPS are not named.
        CheckpointError: If the predictor to start from has another architecture, or files of LPIPS cannot be used.
    """

    def __init__(
        self,
        config: TrainConfig,
        frames: FrameSource,
        codec: FeatureSpace,
        initial: LoadedPredictor | None = None,
        fabric: "Fabric | None" = None,
    ) -> None:
        if len(frames) == 0:
            raise DataError(f"no training frames in {config.data}; write some with `distillnerf simulate`")
        self.config, self.frames = config, frames
        self.fabric = fabric or create_fabric(config)
        self.device = self.fabric.device
        self._places = share_of_batch(config.batch, self.fabric.global_rank, self.fabric.world_size)
        torch.set_float32_matmul_precision(config.matmul_precision)
        self.codec = codec.to(self.device)
        torch.manual_seed(config.seed)
        self.predictor = ScenePredictor(config.predictor).to(self.device)
        if initial is not None:
            _start_from(self.predictor, initial)
        if config.encoder_bfloat16:
            self.predictor.image_encoder.autocast_dtype = torch.bfloat16
        self.optimizers = create_optimizers(self.predictor, config.optimizer)
        judge = create_perceptual(config)
        step = TrainingStep(self.predictor, self.codec, config, None if judge is None else judge.to(self.device))
        self._step_module = self.fabric.setup_module(step)
        self.averaged = {name: value.detach().clone() for name, value in self.predictor.state_dict().items()}
        self.before = {} if initial is None else initial.provenance
        self.curve = LearningCurve(config.out / "curve.json")
        self.step = 0

    @property
    def state_path(self) -> Path:
        """File from which a killed run goes on."""
        return self.config.out / "run.safetensors"

    def resume(self) -> bool:
        """Restores the run in the output folder, if there is one."""
        if not self.state_path.exists():
            return False
        config = self._config_json()
        self.step = load_run(
            self.state_path, self.predictor, self.averaged, self.optimizers, config, _with_new_defaults
        )
        self.curve.read(self.step)
        logger.info("resumed %s at step %d", self.state_path, self.step)
        return True

    def run(self, log: Logger | None = None, progress: bool = True) -> None:
        """Trains until the configured number of steps, saving as it goes; Ctrl-C saves and stops."""
        progress = progress and self.fabric.is_global_zero
        observe = partial(self._observe, log)
        advance(self, self.config.steps, "train", self.config.checkpoint_minutes, observe, progress)

    def train_step(self) -> Terms:
        """Makes one optimiser step and returns the loss terms."""
        with flushed_denormals():
            return self._train_step()

    def _train_step(self) -> Terms:
        self._schedule()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        rows = [self._accumulate(place) for place in self._places]
        norm = torch.nn.utils.clip_grad_norm_(self.predictor.parameters(), self.config.optimizer.gradient_clip)
        if bool(torch.isfinite(norm)):
            for optimizer in self.optimizers:
                optimizer.step()
        else:
            logger.warning("step %d: gradient is not finite, step skipped", self.step)
        self._average()
        self.step += 1
        return {name: mean_term(rows, name) for name in rows[0]} | {"gradient_norm": float(norm)}

    def _accumulate(self, place: int) -> Terms:
        """Adds the gradient of one frame of the batch, and returns its loss terms."""
        seed = 1_000_003 * self.config.seed + self.step + _PLACE_STRIDE * place
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        frame = self.frames[int(torch.randint(len(self.frames), (), generator=generator))].to(self.device)
        with self.fabric.no_backward_sync(self._step_module, enabled=place != self._places[-1]):
            total, terms = self._step_module(frame, generator, self.step < self.config.depth_steps)
            self.fabric.backward(total / len(self._places))
        return {**terms, "total": float(total.detach())}

    def save(self) -> None:
        """Writes the run's state, its curve and the averaged predictor; of several processes, the first does."""
        if not self.fabric.is_global_zero:
            return
        save_run(self.state_path, self.step, self.predictor, self.averaged, self.optimizers, self._config_json())
        self.curve.write()
        self.export(self.config.out / "predictor.safetensors", half=False)

    def export(self, path: Path, half: bool) -> None:
        """Writes the averaged weights as a predictor checkpoint."""
        save_predictor(path, self.config.predictor, self.averaged, self.codec, self.provenance(), half)

    def provenance(self) -> dict[str, Any]:
        """Says how the weights came about."""
        return {
            "steps": self.step,
            "seed": self.config.seed,
            "frames": len(self.frames),
            "train_config": json.loads(self._config_json()),
            "initial": self.before,
            "curve": self.curve.rows[:: max(1, len(self.curve.rows) // 200)],
        }

    def _schedule(self) -> None:
        share = schedule(self.step, self.config.warmup_steps, self.config.steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share

    def _average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.predictor.state_dict().items():
                if value.is_floating_point():
                    self.averaged[name].lerp_(value, 1 - decay)

    def _observe(self, log: Logger | None, terms: Terms) -> Terms | None:
        if log is not None and self.step % self.config.image_every == 0:
            picture = draw_progress(self.predictor, self.frames[0].to(self.device).frame)
            log.add_image("progress", picture, self.step, dataformats="HWC")
        if self.step % self.config.log_every != 0:
            return None
        self.curve.add(self.step, terms)
        if log is not None:
            for name, value in terms.items():
                log.add_scalar(f"train/{name}", value, self.step)
        return {name: self.curve.mean(name) for name in SHOWN if name in terms}

    def _config_json(self) -> str:
        content = self.config.model_dump(mode="json", exclude={"out", "data", "features"})
        if isinstance(self.codec, ImageFeatures):
            content["features"] = self.codec.fingerprint
        return json.dumps(content)


def _start_from(predictor: ScenePredictor, initial: LoadedPredictor) -> None:
    """Takes over weights; a head that renders another number of features begins anew."""
    own, given = predictor.state_dict(), dict(initial.predictor.state_dict())
    if predictor.config.language_channels != initial.predictor.config.language_channels:
        logger.info("%s: the head of %d features begins anew", initial.source, predictor.config.language_channels)
        given |= {name: value for name, value in own.items() if name.startswith(_LANGUAGE_HEAD)}
    problems = shape_problems(own, given)
    if problems:
        raise CheckpointError(
            f"{initial.source}: cannot start from another architecture, {len(problems)} problems: "
            f"{'; '.join(problems[:8])}; use the `predictor` of the configuration it was trained with"
        )
    predictor.load_state_dict(given)


def _with_new_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Adds the defaults of what an earlier version could not configure."""
    try:
        return parse_config(config, TrainConfig).model_dump(mode="json", exclude={"out", "data"})
    except ConfigurationError:
        return config  # differs in a key that is gone, which is reported


def schedule(step: int, warmup: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < warmup:
        return (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share))
