"""From images to a cache of features."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from distillnerf_core.errors import DataError
from distillnerf_core.language.affine_compression import AffineCompression
from distillnerf_core.teachers.features.cache import FeatureCache
from distillnerf_core.teachers.features.fitting import TokenFiles
from distillnerf_core.teachers.features.patches import resize_image
from distillnerf_core.teachers.features.quantised import quantise
from distillnerf_core.teachers.features.sources import ImageSource, SourceImage
from distillnerf_core.teachers.features.teacher import FeatureTeacher, ImageBatch


@dataclass(frozen=True)
class TaughtImage:
    """What a teacher says about an image.

    Attributes:
        key: Name of the image.
        features: Features of the cells, NaN where they are not known.
        size: Height and width of the working image.
    """

    key: str
    features: Float[Tensor, "channels rows columns"]
    size: tuple[int, int]


@dataclass(frozen=True)
class _Prepared:
    key: str
    image: Float[Tensor, "3 height width"]
    labels: UInt8[Tensor, "height width"] | None
    masked: Bool[Tensor, "height width"] | None

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[2]

    @property
    def kind(self) -> tuple[object, ...]:
        """What the images of a batch have in common."""
        return (*self.size, self.labels is None)


def run_teacher(
    images: Iterable[SourceImage], teacher: FeatureTeacher, batch_size: int, device: torch.device | str
) -> Iterator[TaughtImage]:
    """Runs a teacher on images, several of one size at a time, in their order.

    Args:
        images: The images.
        teacher: The teacher, on `device`.
        batch_size: Most images at a time.
        device: Where the teacher computes.

    Raises:
        DataError: If an image cannot be read.
    """
    prepared = (_prepare(image, teacher) for image in images)
    for _, alike in itertools.groupby(prepared, key=lambda item: item.kind):
        while batch := list(itertools.islice(alike, batch_size)):
            yield from _run(batch, teacher, device)


def extract_features(
    images: Iterable[SourceImage],
    teacher: FeatureTeacher,
    cache: FeatureCache,
    compression: AffineCompression | None,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
) -> int:
    """Writes the features of all images that the cache lacks; a killed run goes on where it stopped.

    Args:
        images: The images; those that are there already are not read.
        teacher: The teacher, on `device`.
        cache: Where the features go.
        compression: Their compression; None where the cache holds the teacher's own.
        batch_size: Most images at a time.
        device: Where the teacher computes.

    Returns:
        Number of images written.

    Raises:
        DataError: If an image cannot be read or features cannot be written.
    """
    small = None if compression is None else compression.to(device)
    missing = (image for image in images if image.key not in cache)
    count = 0
    for taught in run_teacher(missing, teacher, batch_size, device):
        features = taught.features if small is None else _reduce(taught.features, small)
        cache.write(taught.key, quantise(features), taught.size)
        count += 1
    return count


def sample_cells(
    images: Iterable[SourceImage],
    teacher: FeatureTeacher,
    sample: TokenFiles,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
) -> None:
    """Draws the cells that a compression is fitted to; images that were sampled before are not read.

    Raises:
        DataError: If an image cannot be read.
    """
    missing = (image for image in images if image.key not in sample)
    for taught in run_teacher(missing, teacher, batch_size, device):
        sample.add(taught.key, taught.features)


def spread_images(source: ImageSource, count: int) -> Iterator[SourceImage]:
    """Yields at most `count` images, evenly spread over a source."""
    chosen = {round(place) for place in np.linspace(0, len(source) - 1, count)}
    return (image for number, image in enumerate(source) if number in chosen)


def _prepare(image: SourceImage, teacher: FeatureTeacher) -> _Prepared:
    pixels = image.read()
    height, width = pixels.shape[:2]
    size = teacher.working_size(height, width)
    valid = image.read_valid(height, width)
    labels = None if image.read_labels is None or not teacher.reads_labels else image.read_labels()
    if labels is not None:
        labels = cv2.resize(labels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    floats = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255.0
    return _Prepared(
        image.key,
        resize_image(floats, *size),
        None if labels is None else torch.from_numpy(np.asarray(labels)),
        None if valid is None else _cover(~torch.from_numpy(valid), size),
    )


def _cover(mask: Bool[Tensor, "rows columns"], size: tuple[int, int]) -> Bool[Tensor, "height width"]:
    return F.adaptive_max_pool2d(mask[None, None].float(), size)[0, 0].bool()


def _run(batch: list[_Prepared], teacher: FeatureTeacher, device: torch.device | str) -> Iterator[TaughtImage]:
    images = torch.stack([item.image for item in batch])
    known = [item.labels for item in batch if item.labels is not None]
    labels = torch.stack(known) if known else None
    features = teacher.features(ImageBatch(images, labels).to(device))
    for item, found in zip(batch, features, strict=True):
        if not teacher.reads_labels and not bool(torch.isfinite(found).all()):
            raise DataError(f"image {item.key}: teacher {teacher.name} gave features that are not finite")
        yield TaughtImage(item.key, _mask(found, item.masked, teacher.margin_px), item.size)


def _mask(
    features: Float[Tensor, "channels rows columns"], masked: Bool[Tensor, "height width"] | None, margin_px: float
) -> Float[Tensor, "channels rows columns"]:
    """Sets the cells to NaN whose patches see any masked pixel."""
    if masked is None:
        return features
    stride = round((masked.shape[0] - 2 * margin_px) / features.shape[1])
    patch = round(stride + 2 * margin_px)
    cells = F.max_pool2d(masked[None].float(), patch, stride)[0].bool()
    return features.masked_fill(cells.to(features.device), torch.nan)


def _reduce(
    features: Float[Tensor, "dimensions rows columns"], compression: AffineCompression
) -> Float[Tensor, "channels rows columns"]:
    cells = compression.reduce(features.flatten(1).T)
    return cells.T.reshape(-1, *features.shape[1:])
