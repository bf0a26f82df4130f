"""What training on a cache of features needs: its feature space, and frames with its features."""

from distillnerf_core.data.simulated import SimulatedDataset
from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.language.affine_compression import load_affine_compression
from distillnerf_core.language.codec import create_feature_codec
from distillnerf_core.language.encoders import TextEncoder
from distillnerf_core.language.feature_space import FeatureSpace
from distillnerf_core.language.image_features import ImageFeatures
from distillnerf_core.teachers.features.drive_features import DriveFeatures
from distillnerf_core.teachers.features.labels import LABELS
from distillnerf_core.training.config import TrainConfig
from distillnerf_core.training.feature_frames import FeaturedFrames
from distillnerf_core.training.prepared import PreparedFrames


def open_features(config: TrainConfig) -> DriveFeatures | None:
    """Opens the cache that a run learns from, and checks that the run can.

    Raises:
        DataError: If there is no such cache.
        ConfigurationError: If the network renders other channels, or a weight is missing or has nothing to weigh.
    """
    weights = config.objective.weights
    wanted = weights.features > 0 or weights.other_features > 0
    if config.features is None:
        if wanted:
            raise ConfigurationError(
                "objective.weights.features needs features: name what `distillnerf extract-features` wrote with "
                "--features"
            )
        return None
    features = DriveFeatures(config.features)
    if not wanted:
        raise ConfigurationError(
            f"nothing would be learnt from {config.features}: the weights objective.weights.features and "
            ".other_features are 0; add --set objective.weights.features=1"
        )
    channels, found = features.index.compression.channels, config.predictor.language_channels
    if channels != found:
        raise ConfigurationError(
            f"{config.features} has features of {channels} channels, the network renders {found}: add "
            f"--set predictor.language_channels={channels}, or extract with --channels {found}"
        )
    return features


def create_feature_space(features: DriveFeatures | None, encoder: TextEncoder, channels: int) -> FeatureSpace:
    """Returns what the features of a new run mean: those of the cache, or else of texts about classes.

    Features of labels are features of texts, so that terms about classes stay.

    Args:
        features: The cache, if there is one.
        encoder: Text encoder of the package's own space.
        channels: Channels that the network renders.

    Raises:
        DataError: If the cache has features of labels of another text encoder or other classes.
        LanguageError: If a file of the text encoder or the compression is missing.
    """
    if features is None:
        return create_feature_codec(encoder, channels)
    index = features.index
    if index.teacher == LABELS:
        codec = create_feature_codec(encoder, channels)
        found = (index.description.get("model"), index.description.get("classes"))
        if found != (codec.encoder_name, " ".join(codec.class_names)):
            raise DataError(
                f"{features.folder}: its features of labels belong to another text encoder or other classes; extract "
                "them again"
            )
        return codec
    path = features.compression_path
    compression = None if path is None else load_affine_compression(path)
    return ImageFeatures(index.teacher, index.description, index.compression.channels, compression)


def add_features(
    frames: PreparedFrames | SimulatedDataset, features: DriveFeatures, config: TrainConfig
) -> FeaturedFrames:
    """Adds the features of a cache to frames; reads the first frame, to see whether it has those images.

    Raises:
        DataError: If it has not.
    """
    size = (config.predictor.image_height // 2, config.predictor.image_width // 2)
    objective = config.objective
    featured = FeaturedFrames(frames, features, size, objective.feature_sky, objective.weights.other_features > 0)
    try:
        featured[0]
    except DataError as err:
        raise DataError(
            f"{err}: {features.folder} is no cache of the images of {config.data}; extract those of the same drives "
            "with `distillnerf extract-features`"
        ) from err
    return featured
