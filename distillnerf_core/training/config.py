"""Configuration of a training run."""

from pathlib import Path
from typing import Literal

import pydantic

from distillnerf_core.configuration import Config
from distillnerf_core.model.predictor import PredictorConfig


class LossWeights(Config):
    """Weight of each term; zero switches a term off.

    Attributes:
        color: Error of rendered colour.
        depth: Log distance of rendered depth.
        coarse_depth: Log distance of the first depth stage.
        intervals: Likelihood of the first stage's interval that holds the surface.
        candidates: Occupancy of the second stage's candidates.
        opacity: Opacity of rays and of the first stage against 1.
        entropy: Entropy of rendering weights.
        language: Rendered language features against the teacher.
        occupancy: Free and occupied 3D points.
        point_language: Language features of occupied 3D points.
        structure: Dissimilarity (SSIM) of rendered colour.
        line_of_sight: Rendering weight in front of known surfaces.
        other_color: Error of colour rendered into other views: virtual cameras, and the key-frames next to this one.
        other_depth: Log distance rendered into other views.
        features: Error of rendered features of an image model; 1 as published, and with `--features` only.
        other_features: The same, rendered into the key-frames next to this one.
        perceptual: LPIPS of rendered colour; 1 as published, and with the files of `PerceptualConfig` only.
    """

    color: float = 2.0
    depth: float = 2.0
    coarse_depth: float = 1.0
    intervals: float = 0.2
    candidates: float = 0.5
    opacity: float = 0.1
    entropy: float = 0.01
    language: float = 0.2
    occupancy: float = 1.0
    point_language: float = 0.3
    structure: float = 0.0
    line_of_sight: float = 0.0
    other_color: float = 1.0
    other_depth: float = 1.0
    features: float = 0.0
    other_features: float = 0.0
    perceptual: float = 0.0


class ObjectiveConfig(Config):
    """What one training step looks at.

    Attributes:
        weights: Loss weights.
        color_error: Of colours: `absolute` (L1, as published), or `rms`, the root mean square that PSNR measures.
        feature_error: Of features of an image model: `absolute`, as published, or `rms`, which feature PSNR measures.
        feature_sky: Whether the features of the sky are learnt, too, as published.
        cameras: Numbers of cameras that a step may see; drawn at random, so that a lost camera is no surprise.
        render_cameras: Cameras rendered in a step.
        others: Which of the other views of a frame are learnt.
        other_cameras: Cameras rendered of one of the other views of the frame, where it has any.
        trusted: Least trust in a pixel of another view whose distance is learnt.
        crop_columns: Columns of rays rendered of each of them (0 for all).
        points: Voxels supervised directly.
        sky_m: Distance at which the sky is put.
        one_stage_share: Share of steps without the second depth stage and the fine voxels; it keeps that baseline
            in practice, so that the comparison with it is fair.
    """

    weights: LossWeights = LossWeights()
    color_error: Literal["absolute", "rms"] = "absolute"
    feature_error: Literal["absolute", "rms"] = "absolute"
    feature_sky: bool = True
    cameras: tuple[int, ...] = (6, 4, 3)
    render_cameras: int = 3
    others: tuple[str, ...] = ("next", "previous", "left", "right", "up")
    other_cameras: int = 2
    trusted: float = 0.5
    crop_columns: int = 44
    points: int = 20000
    sky_m: float = 100.0
    one_stage_share: float = 0.1


class PerceptualConfig(Config):
    """Files of the network that judges pictures (LPIPS), which are the user's: none are shipped or downloaded.

    Attributes:
        features: torchvision's vgg16, as published, or alexnet (.pth or .safetensors).
        heads: Weights of their channels, vgg.pth or alex.pth of the package `lpips`.
    """

    features: Path | None = None
    heads: Path | None = None


class OptimizerConfig(Config):
    """How weights follow gradients.

    Attributes:
        muon: Train convolution kernels by Muon; False leaves all weights to AdamW.
        learning_rate: Peak of AdamW.
        kernel_learning_rate: Peak of Muon, whose updates have singular values of this size.
        weight_decay: Of both.
        gradient_clip: Largest gradient norm.
    """

    muon: bool = True
    learning_rate: float = 2e-3
    kernel_learning_rate: float = 0.02
    weight_decay: float = 0.01
    gradient_clip: float = 2.0


class TrainConfig(Config):
    """A training run.

    Attributes:
        data: Folder written by `distillnerf simulate`.
        features: What `distillnerf extract-features` wrote of the images of `data`; None: only classes are learnt.
        out: Folder for checkpoints, logs and the final predictor.
        steps: Optimiser steps.
        depth_steps: How many of them, at the beginning, train the image encoder and the depth stages alone.
        augment: Mirror the scene and vary the exposure at random.
        warmup_steps: Steps of linear warm-up, before a cosine down to a hundredth.
        optimizer: Optimiser and its learning rates.
        encoder_bfloat16: Run the image encoder in bfloat16, where the machine is faster at it.
        ema_decay: Of the averaged weights that are kept.
        seed: Of everything random.
        batch: Frames of a step, over all processes; their gradients are averaged.
        device: `auto`, `cpu`, `cuda` or `cuda:1`; with several processes each takes its own.
        precision: `bf16-mixed` computes in bfloat16 what is not sensitive to it, for GPUs.
        matmul_precision: Of 32-bit matrix products: `highest`, `high` or `medium` (see PyTorch). On a CPU the latter
            lose more to compiling kernels for the ever-changing numbers of voxels than they win.
        checkpoint_minutes: A killed run loses at most this.
        log_every: Steps between TensorBoard records.
        image_every: Steps between TensorBoard pictures.
        predictor: Architecture.
        objective: Losses and sampling.
        perceptual: Files of LPIPS, where `objective.weights.perceptual` is not 0.
    """

    data: Path = Path("datasets/train")
    features: Path | None = None
    out: Path = Path("runs/tiny")
    steps: int = 3000
    depth_steps: int = 0
    augment: bool = True
    warmup_steps: int = 100
    optimizer: OptimizerConfig = OptimizerConfig()
    encoder_bfloat16: bool = True
    ema_decay: float = 0.995
    seed: int = 0
    batch: int = pydantic.Field(default=1, ge=1)
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    checkpoint_minutes: float = 3.0
    log_every: int = 20
    image_every: int = 500
    predictor: PredictorConfig = PredictorConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
