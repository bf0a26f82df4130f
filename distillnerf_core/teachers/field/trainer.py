"""Fits a field to a drive: resumable, and with a learning curve (sections 7 and 13.3)."""

import json
import logging
from pathlib import Path

import torch

from distillnerf_core.data.drive import Drive
from distillnerf_core.model.denormals import flushed_denormals
from distillnerf_core.perception.pipeline import choose_device
from distillnerf_core.teachers.field.building import build_field
from distillnerf_core.teachers.field.config import FieldTeacherConfig
from distillnerf_core.teachers.field.drive_rays import FieldFrame, SkyMasks, read_pixels, read_returns
from distillnerf_core.teachers.field.drive_split import DriveSplit
from distillnerf_core.teachers.field.field_rays import FieldRays
from distillnerf_core.teachers.field.objective import Objective, lidar_objective, pixel_objective
from distillnerf_core.teachers.field.schedules import learning_rate_factor, proposal_updates
from distillnerf_core.training.resumable_loop import LearningCurve, Terms, advance
from distillnerf_core.training.run_state import load_run, save_run

logger = logging.getLogger(__name__)


class FieldTrainer:
    """Fits a field.

    All randomness of an iteration follows from the seed and its number, so that a run that goes on after a kill ends
    like one that was never killed.

    Args:
        drive: What is learned.
        config: Settings.
        out: Folder of the run: `field.safetensors` and `curve.json`.
        sky_masks: Gives the sky of an image; None: unknown, and no term for it.

    Raises:
        DataError: If the drive has no images or a file cannot be read.
        ConfigurationError: If the settings do not suit the drive.
    """

    def __init__(self, drive: Drive, config: FieldTeacherConfig, out: Path, sky_masks: SkyMasks | None = None) -> None:
        self.config, self.out = config, out
        self.device = choose_device(config.device)
        self.frame = FieldFrame.of(drive)
        self.split = DriveSplit.of(drive, config.sweep_step, config.hold_out_every)
        size = (config.height, config.width)
        self.pixels = read_pixels(drive, self.split.images, self.frame, size, sky_masks, config.own_vehicle)
        scans = self.split.scans if config.lidar_rays else ()
        self.returns = read_returns(drive, scans, self.frame, config.nearest_m, config.farthest_m)
        torch.manual_seed(config.seed)
        self.field = build_field(drive, self.split, self.frame, self.returns, config.field).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.field.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), eps=1e-15
        )
        self.curve = LearningCurve(out / "curve.json")
        self.step = 0
        self._updates = proposal_updates(config.iterations)
        returns = 0 if self.returns is None else len(self.returns.points_m)
        self._drive = {"drive": drive.name, "images": len(self.split.images), "returns": returns}

    @property
    def state_path(self) -> Path:
        """File from which a killed run goes on, and from which the teacher reads the field."""
        return self.out / "field.safetensors"

    def resume(self) -> bool:
        """Restores the run in the output folder, if there is one.

        Raises:
            CheckpointError: If it is damaged, or of other settings or another drive.
        """
        if not self.state_path.exists():
            return False
        self.step = load_run(self.state_path, self.field, {}, [self.optimizer], self._config_json())
        self.curve.read(self.step)
        logger.info("resumed %s at iteration %d", self.state_path, self.step)
        return True

    def run(self, progress: bool = True) -> None:
        """Trains to the end, saving as it goes; Ctrl-C saves and stops."""
        advance(self, self.config.iterations, "field", self.config.checkpoint_minutes, self._observe, progress)

    def train_step(self) -> Terms:
        """Learns from a batch of pixels, then from a batch of LiDAR returns; returns the weighted terms."""
        generator = torch.Generator().manual_seed(1_000_003 * self.config.seed + self.step)
        share, update = self.step / self.config.iterations, self._updates[self.step]
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * learning_rate_factor(share)
        with flushed_denormals():
            batch = self.pixels.draw(self.config.pixel_rays, generator).to(self.device)
            phases = self._phases(batch.rays, generator)
            terms = self._step(pixel_objective(self.field, batch, self.config.weights, phases, update))
            if self.returns is not None:
                rays, ranges = self.returns.draw(self.config.lidar_rays, generator)
                rays = rays.to(self.device)
                phases = self._phases(rays, generator)
                objective = lidar_objective(
                    self.field, rays, ranges.to(self.device), self.config.weights, phases, update, share
                )
                terms |= {f"lidar_{name}": value for name, value in self._step(objective).items()}
        self.step += 1
        return terms

    def save(self) -> None:
        """Writes the state of the run and its learning curve."""
        save_run(self.state_path, self.step, self.field, {}, [self.optimizer], self._config_json())
        self.curve.write()

    def _phases(self, rays: FieldRays, generator: torch.Generator) -> torch.Tensor:
        rounds = len(self.config.field.proposal_intervals) + 1
        return torch.rand(rounds, len(rays), 1, generator=generator).to(self.device)

    def _step(self, objective: Objective) -> Terms:
        total = objective.total
        self.optimizer.zero_grad(set_to_none=True)
        if bool(torch.isfinite(total)):
            total.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        else:
            logger.warning("iteration %d: the loss is not finite, step skipped", self.step)
        return {name: float(term.detach()) for name, term in objective.terms.items()}

    def _observe(self, terms: Terms) -> Terms | None:
        if self.step % self.config.log_every != 0:
            return None
        self.curve.add(self.step, terms)
        return {"mse": terms.get("color", 0.0), "range": terms.get("lidar_distance", 0.0)}

    def _config_json(self) -> str:
        return json.dumps({**self.config.model_dump(mode="json", exclude={"chunk_rays"}), **self._drive})
