"""The loss of one frame as a module, so that gradients are shared among processes."""

import torch
from torch import Tensor, nn

from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.frames import SupervisedFrame
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.model.predictor import ScenePredictor
from distillnerf_core.training.augmentation import augment
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.objective import compute_depth_objective, compute_objective


class TrainingStep(nn.Module):
    """From a frame to its loss.

    Args:
        predictor: Network, whose parameters are the module's.
        codec: What rendered features mean.
        config: Augmentation and losses.
        perceptual: Judge of rendered pictures, where that term is on.
    """

    def __init__(
        self, predictor: ScenePredictor, codec: FeatureSpace, config: TrainConfig, perceptual: Lpips | None = None
    ) -> None:
        super().__init__()
        self.predictor = predictor
        self._teachers = (codec, perceptual)  # not trained: in a tuple their buffers are not the module's
        self._augment = config.augment
        self._objective = config.objective

    def forward(
        self, frame: SupervisedFrame, generator: torch.Generator, depth_only: bool
    ) -> tuple[Tensor, dict[str, float]]:
        """Returns the loss of a frame and its unweighted terms.

        Args:
            frame: Frame with ground truth, on the network's device.
            generator: Source of randomness (CPU).
            depth_only: Whether the depth stages are trained alone.
        """
        if self._augment:
            frame = augment(frame, generator)
        if depth_only:
            objective = compute_depth_objective(self.predictor, frame, self._objective)
        else:
            codec, perceptual = self._teachers
            objective = compute_objective(self.predictor, frame, codec, self._objective, generator, perceptual)
        return objective.total, objective.terms
