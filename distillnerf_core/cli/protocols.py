"""`distillnerf evaluate --protocol ...` apart from `simulated`: opens data and checkpoint, runs, and reports."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from distillnerf_core.data.drive import Drive
    from distillnerf_core.data.drive_frames import Resize
    from distillnerf_core.data.occupancy_truth import OccupancySource
    from distillnerf_core.evaluation.feature_targets import FeatureTargets
    from distillnerf_core.evaluation.protocols.base import EvaluationProtocol, Glance
    from distillnerf_core.evaluation.samples import Choice, Sample
    from distillnerf_core.evaluation.scenes import JudgedPipeline

ProtocolName = Literal["simulated", "reconstruction", "novel-view", "depth", "occupancy", "features", "query"]
PICTURED_SAMPLES = 3


@dataclass(frozen=True)
class ProtocolOptions:
    """What the command line says.

    Attributes:
        protocol: Which protocol.
        checkpoint: The predictor; None: the shipped one.
        data: `sim:FIRST..LAST` or a path, as :func:`open_drives` takes it.
        scenes: Scenes of the data set; none: see :class:`DriveOptions`.
        version: Version of nuScenes.
        split: Split of nuScenes.
        split_file: File of scenes.
        occ3d: Folder `gts` of Occ3D-nuScenes; None: the truth of simulated streets.
        features: Folder of features; None: those of true classes of simulated streets.
        samples: Which key-frames.
        limit: Most samples; 0: all.
        resize: How images are resized; None: as the checkpoint was trained.
        density_threshold: Voxels denser than this are occupied, 1/m; None: the product's.
        model: How the network is run.
        device: Where.
        json_file: File of the figures.
        report: Folder of the report.
    """

    protocol: ProtocolName
    checkpoint: Path | None
    data: str
    scenes: Sequence[str]
    version: str
    split: str
    split_file: Path | None
    occ3d: Path | None
    features: Path | None
    samples: "Choice"
    limit: int
    resize: "Resize | None"
    density_threshold: float | None
    model: Sequence[str]
    device: str
    json_file: Path | None
    report: Path | None


def evaluate_protocol(options: ProtocolOptions) -> None:
    """Runs a protocol and prints its table.

    Raises:
        DistillNerfError: If the checkpoint cannot be judged by it, or the data lack something.
    """
    from rich.console import Console
    from tqdm import tqdm

    from distillnerf_core.evaluation.protocol_report import protocol_table, write_protocol_json, write_report
    from distillnerf_core.evaluation.protocols.base import Glance
    from distillnerf_core.evaluation.running import run_protocol

    samples = _open_samples(options)
    judged, published = _open_judged(options)
    resize = options.resize or ("bilinear" if published else "area")
    protocol = _create(options, Glance(judged, resize))
    pictured = PICTURED_SAMPLES if options.report else 0
    with tqdm(total=len(samples), desc=options.protocol, unit="sample") as bar:
        evaluation = run_protocol(protocol, samples, pictured, bar.update)
    Console(width=140).print(protocol_table(evaluation, judged.name))
    info = {"checkpoint": judged.name, "data": _data_name(options), "samples": _describe(options, samples)}
    if options.json_file is not None:
        write_protocol_json(options.json_file, evaluation, info)
    if options.report is not None:
        path = write_report(options.report, evaluation, info, _command())
        Console().print(f"report: {path}")


def _open_samples(options: ProtocolOptions) -> "list[Sample]":
    from distillnerf_core.evaluation.samples import choose_samples

    samples = choose_samples(_open_drives(options), options.samples)
    return samples[: options.limit] if options.limit else samples


def _open_drives(options: ProtocolOptions) -> "Sequence[Drive]":
    from distillnerf_core.data.drive_sources import DriveOptions, open_drives

    chosen = DriveOptions(
        version=options.version, scenes=tuple(options.scenes), split=options.split, split_file=options.split_file
    )
    return open_drives(options.data, chosen)


def _open_judged(options: ProtocolOptions) -> "tuple[JudgedPipeline, bool]":
    """Loads the checkpoint; says too whether it is of the published network."""
    from distillnerf_core.cli.recording import model_options
    from distillnerf_core.evaluation.scenes import JudgedPipeline
    from distillnerf_core.model.checkpoint import embedded_checkpoint
    from distillnerf_core.model.loading import load_model
    from distillnerf_core.model.reference.predictor import ReferencePredictor
    from distillnerf_core.perception.pipeline import choose_device

    path = options.checkpoint or embedded_checkpoint()
    model = load_model(path, choose_device(options.device), model_options(options.model))
    judged = JudgedPipeline(model, path.name, options.density_threshold)
    return judged, isinstance(model.predictor, ReferencePredictor)


def _create(options: ProtocolOptions, glance: "Glance") -> "EvaluationProtocol":
    from distillnerf_core.evaluation.protocol import QUERY_WORDS
    from distillnerf_core.evaluation.protocols.depth import LidarDepthProtocol
    from distillnerf_core.evaluation.protocols.features import FeatureProtocol
    from distillnerf_core.evaluation.protocols.novel_view import NovelView
    from distillnerf_core.evaluation.protocols.occupancy import OccupancyProtocol
    from distillnerf_core.evaluation.protocols.query import QueryProtocol
    from distillnerf_core.evaluation.protocols.reconstruction import Reconstruction
    from distillnerf_core.evaluation.scenes import require_texts

    match options.protocol:
        case "reconstruction":
            return Reconstruction(glance)
        case "novel-view":
            return NovelView(glance)
        case "depth":
            return LidarDepthProtocol(glance)
        case "features":
            return FeatureProtocol(glance, _feature_targets(options, glance))
        case "occupancy":
            return OccupancyProtocol(glance, _occupancy_source(options))
        case _:
            require_texts(glance.judged, options.protocol)
            return QueryProtocol(glance, _occupancy_source(options), QUERY_WORDS)


def _occupancy_source(options: ProtocolOptions) -> "OccupancySource":
    from distillnerf_core.data.drive_sources import is_simulated
    from distillnerf_core.data.occupancy_truth import Occ3dFolder, SimulatedOccupancy
    from distillnerf_core.errors import DataError

    if options.occ3d is not None:
        return Occ3dFolder(options.occ3d)
    if is_simulated(options.data):
        return SimulatedOccupancy()
    raise DataError(
        f"--protocol {options.protocol} needs true occupancy: give simulated streets, or nuScenes and --occ3d"
    )


def _feature_targets(options: ProtocolOptions, glance: "Glance") -> "FeatureTargets":
    from distillnerf_core.evaluation.feature_targets import ClassTargets, StoredFeatures
    from distillnerf_core.evaluation.scenes import require_texts

    if options.features is not None:
        return StoredFeatures(options.features)
    require_texts(glance.judged, "features without --features")
    class_features = glance.judged.language.class_features
    assert class_features is not None
    return ClassTargets(class_features)


def _describe(options: ProtocolOptions, samples: "Sequence[Sample]") -> str:
    from distillnerf_core.evaluation.samples import CHOICES

    return f"{len(samples)} of {len({sample.drive.name for sample in samples})} drives; {CHOICES[options.samples]}"


def _data_name(options: ProtocolOptions) -> str:
    from distillnerf_core.data.drive_sources import is_simulated

    return options.data if is_simulated(options.data) else Path(options.data).name


def _command() -> str:
    return shlex.join(["distillnerf", *sys.argv[1:]])
