"""`distillnerf fit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distillnerf_core.data.frame_folder import RecordedFrame
    from distillnerf_core.frames import SupervisedFrame
    from distillnerf_core.language.encoders import TextEncoder
    from distillnerf_core.training.config import TrainConfig
    from distillnerf_core.training.trainer import Trainer

app = typer.Typer()
_WITHOUT_CLASSES = (
    ", and boxes teach classes; start from another predictor, or train on with "
    "`distillnerf train --init ... --features ...`"
)


@app.command()
def fit(
    frames: Annotated[Path, typer.Argument(help="Folder of real frames: calib.json, frames/, lidar/, boxes.")],
    out: Annotated[Path, typer.Option(help="Where to write the predictor (*.safetensors).")],
    config: Annotated[
        Path | None, typer.Option(help="YAML configuration in place of the built-in one, training/fit.yaml.")
    ] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="Change a value: section.key=value.")] = None,
    init: Annotated[Path | None, typer.Option(help="Start from this predictor instead of from scratch.")] = None,
    hold_out: Annotated[
        list[int] | None, typer.Option(help="Number of a frame that is judged but not learnt from; several times.")
    ] = None,
    word: Annotated[str, typer.Option(help="Labelled class to ask for when judging the result.")] = "car",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Optimises the predictor on given real frames alone: images, LiDAR depth, and points inside labelled boxes.

    All frames are judged, held-out ones too, beside the predictor before (the shipped one, where none is given), and
    beside flat ground.
    """
    import logging

    from distillnerf_core.data.frame_folder import FrameFolder
    from distillnerf_core.language.encoders import MiniLmEncoder

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = _settings(config, out, override or ())
    encoder, folder = MiniLmEncoder(), FrameFolder(frames)
    recorded = [folder[index] for index in range(len(folder))]
    learnt = _learnt(len(recorded), hold_out or (), frames)
    trainer = _create_trainer(settings, [recorded[index] for index in learnt], encoder, init)
    minutes = _train(trainer, out)
    figures = _judge(out, init, encoder, recorded, word)
    for index, row in enumerate(figures):
        row["held_out"] = float(index not in learnt)
    _report(figures, word, minutes, json_file)
    print(f"predictor: {out}")


def _settings(config: Path | None, out: Path, overrides: "Sequence[str]") -> "TrainConfig":
    """Reads the configuration; the built-in one lies in the package, so that it is found from everywhere."""
    from importlib.resources import as_file, files

    from distillnerf_core.configuration import load_config
    from distillnerf_core.training.config import TrainConfig

    changes = [f"out={out.with_suffix('')}_run", *overrides]
    if config is not None:
        return load_config(config, TrainConfig, changes)
    with as_file(files("distillnerf_core.training") / "fit.yaml") as built_in:
        return load_config(built_in, TrainConfig, changes)


def _learnt(count: int, held_out: "Sequence[int]", frames: Path) -> list[int]:
    """Lists the frames that are learnt from.

    Raises:
        ConfigurationError: If one that is held out is not there, or none is left.
    """
    from distillnerf_core.errors import ConfigurationError

    missing = sorted(set(held_out) - set(range(count)))
    if missing:
        raise ConfigurationError(f"--hold-out {missing[0]}: {frames} has frames 0 to {count - 1}")
    if len(set(held_out)) == count:
        raise ConfigurationError(f"--hold-out: no frame of {frames} is left to learn from")
    return [index for index in range(count) if index not in set(held_out)]


def _create_trainer(
    settings: "TrainConfig", recorded: "list[RecordedFrame]", encoder: "TextEncoder", init: Path | None
) -> "Trainer":
    """Starts from a predictor's weights, architecture and language where one is given, else from scratch."""
    from distillnerf_core.language.codec import create_feature_codec
    from distillnerf_core.model.checkpoint import load_predictor
    from distillnerf_core.training.recorded_supervision import supervise
    from distillnerf_core.training.trainer import Trainer

    loaded = None if init is None else load_predictor(init)
    if loaded is None:
        codec = create_feature_codec(encoder, settings.predictor.language_channels)
    else:
        codec = loaded.require_classes(_WITHOUT_CLASSES)
        settings = settings.model_copy(update={"predictor": loaded.predictor.config})
    size = (settings.predictor.image_height, settings.predictor.image_width)
    return Trainer(settings, [supervise(frame, *size) for frame in recorded], codec, loaded)


def _train(trainer: "Trainer", out: Path) -> float:
    """Trains to the end, going on where a killed run stopped, and writes the predictor; returns the minutes."""
    import time

    trainer.resume()
    started = time.monotonic()
    trainer.run()
    minutes = (time.monotonic() - started) / 60.0
    trainer.export(out, half=False)
    return minutes


def _judge(
    checkpoint: Path, before: Path | None, encoder: "TextEncoder", recorded: "list[RecordedFrame]", word: str
) -> list[dict[str, float]]:
    """Measures the written predictor on all frames, beside the one before and flat ground."""
    from functools import cache

    from distillnerf_core.evaluation.recorded import flat_ground_figures, recorded_figures
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.training.recorded_supervision import supervise

    @cache
    def truth(number: int, size: tuple[int, int]) -> "SupervisedFrame":
        return supervise(recorded[number], *size)

    rows: list[dict[str, float]] = [{} for _ in recorded]
    for prefix, path in (("", checkpoint), ("before_", before)):
        pipeline = PerceptionPipeline.from_checkpoint(path, encoder=encoder)
        size = pipeline.input_size
        for number, (row, frame) in enumerate(zip(rows, recorded, strict=True)):
            figures = recorded_figures(pipeline, frame, truth(number, size), word)
            row.update({f"{prefix}{name}": value for name, value in figures.items()})
    for number, row in enumerate(rows):
        figures = flat_ground_figures(truth(number, size))
        row.update({f"flat_ground_{name}": value for name, value in figures.items()})
    return rows


def _report(figures: list[dict[str, float]], word: str, minutes: float, json_file: Path | None) -> None:
    import json

    from rich.console import Console

    from distillnerf_core.evaluation.report import build_fit_table

    Console(width=120).print(build_fit_table(figures, word, minutes))
    if json_file is not None:
        json_file.write_text(json.dumps({"minutes": minutes, "word": word, "frames": figures}, indent=1) + "\n")
