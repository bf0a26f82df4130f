"""The term of training that compares pictures as people do."""

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.evaluation.lpips import Lpips
from distillnerf_core.evaluation.lpips_weights import load_lpips
from distillnerf_core.training.config import TrainConfig


def create_perceptual(config: TrainConfig) -> Lpips | None:
    """Loads the network that judges rendered pictures; None where its weight is 0.

    Raises:
        ConfigurationError: If a file is not named, or what a step renders is too small for the network.
        CheckpointError: See :func:`load_lpips`.
    """
    if not config.objective.weights.perceptual:
        return None
    files = config.perceptual
    if files.features is None or files.heads is None:
        raise ConfigurationError(
            "objective.weights.perceptual needs two files: --set perceptual.features=vgg16-397923af.pth (torchvision's "
            "vgg16 or alexnet) and --set perceptual.heads=vgg.pth (of the package lpips); docs/losses.md says "
            "where they come from"
        )
    lpips = load_lpips(files.features, files.heads)
    crop = 2 * config.objective.crop_columns or config.predictor.image_width
    size = (config.predictor.image_height, min(crop, config.predictor.image_width))
    if min(size) < lpips.least_px:
        raise ConfigurationError(
            f"a step renders {size[1]} x {size[0]} pixels, LPIPS needs {lpips.least_px} on each side: raise "
            "objective.crop_columns (columns of rays, each two pixels; 0 for all) or the size of images"
        )
    return lpips
