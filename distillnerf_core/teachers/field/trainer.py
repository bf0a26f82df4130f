"""Fits a field to a drive: resumable, and with a learning curve (sections 7 and 13.3)."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

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
        self.history: list[dict[str, float]] = []
        self.iteration = 0
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
        self.iteration = load_run(self.state_path, self.field, {}, [self.optimizer], self._config_json())
        curve = self.out / "curve.json"
        if curve.exists():
            self.history = [row for row in json.loads(curve.read_text()) if row["iteration"] <= self.iteration]
        logger.info("resumed %s at iteration %d", self.state_path, self.iteration)
        return True

    def run(self, progress: bool = True) -> None:
        """Trains to the end, saving as it goes; Ctrl-C saves and stops."""
        total = self.config.iterations
        bar = tqdm(total=total, initial=self.iteration, desc="field", disable=not progress, unit="it")
        saved = time.monotonic()
        try:
            while self.iteration < total:
                terms = self.train_iteration()
                bar.update()
                if self.iteration % self.config.log_every == 0:
                    self._record(terms, bar)
                if time.monotonic() - saved > 60.0 * self.config.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        finally:
            bar.close()
            self.save()

    def train_iteration(self) -> dict[str, float]:
        """Learns from a batch of pixels, then from a batch of LiDAR returns; returns the weighted terms."""
        generator = torch.Generator().manual_seed(1_000_003 * self.config.seed + self.iteration)
        share, update = self.iteration / self.config.iterations, self._updates[self.iteration]
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
        self.iteration += 1
        return terms

    def save(self) -> None:
        """Writes the state of the run and its learning curve."""
        save_run(self.state_path, self.iteration, self.field, {}, [self.optimizer], self._config_json())
        (self.out / "curve.json").write_text(json.dumps(self.history))

    def _phases(self, rays: FieldRays, generator: torch.Generator) -> torch.Tensor:
        rounds = len(self.config.field.proposal_intervals) + 1
        return torch.rand(rounds, len(rays), 1, generator=generator).to(self.device)

    def _step(self, objective: Objective) -> dict[str, float]:
        total = objective.total
        self.optimizer.zero_grad(set_to_none=True)
        if bool(torch.isfinite(total)):
            total.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        else:
            logger.warning("iteration %d: the loss is not finite, step skipped", self.iteration)
        return {name: float(term.detach()) for name, term in objective.terms.items()}

    def _record(self, terms: dict[str, float], bar: Any) -> None:
        self.history.append({"iteration": float(self.iteration), **terms})
        shown = {"mse": terms.get("color", 0.0), "range": terms.get("lidar_distance", 0.0)}
        bar.set_postfix({name: f"{value:.4f}" for name, value in shown.items()})

    def _config_json(self) -> str:
        return json.dumps({**self.config.model_dump(mode="json", exclude={"chunk_rays"}), **self._drive})
