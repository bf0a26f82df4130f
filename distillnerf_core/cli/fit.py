"""`distillnerf fit`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def fit(
    frames: Annotated[Path, typer.Argument(help="Folder of real frames: calib.json, frames/, lidar/, boxes.")],
    out: Annotated[Path, typer.Option(help="Where to write the predictor (*.safetensors).")],
    config: Annotated[Path, typer.Option(help="YAML configuration.")] = Path("config/fit.yaml"),
    override: Annotated[list[str] | None, typer.Option("--set", help="Change a value: section.key=value.")] = None,
    init: Annotated[Path | None, typer.Option(help="Start from this predictor instead of from scratch.")] = None,
    word: Annotated[str, typer.Option(help="Labelled class to ask for when judging the result.")] = "car",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Optimises the predictor on given real frames alone: images, LiDAR depth, and points inside labelled boxes."""
    import json
    import logging
    import time

    from rich.console import Console

    from distillnerf_core.configuration import load_config
    from distillnerf_core.data.frame_folder import FrameFolder
    from distillnerf_core.evaluation.recorded import recorded_figures
    from distillnerf_core.evaluation.report import build_fit_table
    from distillnerf_core.language.codec import create_feature_codec
    from distillnerf_core.language.encoders import MiniLmEncoder
    from distillnerf_core.model.checkpoint import load_predictor
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.training.config import TrainConfig
    from distillnerf_core.training.recorded_supervision import supervise
    from distillnerf_core.training.trainer import Trainer

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = load_config(config, TrainConfig, [f"out={out.with_suffix('')}_run", *(override or ())])
    loaded = None
    encoder = MiniLmEncoder()
    codec = create_feature_codec(encoder, settings.predictor.language_channels)
    if init is not None:
        loaded = load_predictor(init)
        settings = settings.model_copy(update={"predictor": loaded.predictor.config})
        codec = loaded.codec
    folder = FrameFolder(frames)
    recorded = [folder[index] for index in range(len(folder))]
    size = (settings.predictor.image_height, settings.predictor.image_width)
    supervised = [supervise(frame, *size) for frame in recorded]
    trainer = Trainer(settings, supervised, codec, loaded)
    trainer.resume()
    started = time.monotonic()
    trainer.run()
    minutes = (time.monotonic() - started) / 60.0
    trainer.export(out, half=False)
    pipeline = PerceptionPipeline.from_checkpoint(out, encoder=encoder)
    figures = [
        recorded_figures(pipeline, frame, truth, word) for frame, truth in zip(recorded, supervised, strict=True)
    ]
    Console(width=120).print(build_fit_table(figures, word, minutes))
    if json_file is not None:
        json_file.write_text(json.dumps({"minutes": minutes, "word": word, "frames": figures}, indent=1) + "\n")
    print(f"predictor: {out}")
