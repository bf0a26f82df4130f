"""`distillnerf train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from distillnerf_core.training.config import TrainConfig
    from distillnerf_core.training.trainer import Trainer

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML configuration, such as config/train_tiny.yaml.")],
    override: Annotated[list[str] | None, typer.Option("--set", help="Change a value: section.key=value.")] = None,
    init: Annotated[Path | None, typer.Option(help="Start from the weights of this predictor.")] = None,
    export: Annotated[Path | None, typer.Option(help="Also write the final 16-bit predictor here.")] = None,
    bag: Annotated[
        list[str] | None,
        typer.Option(help="Recording to learn from (several times for several), prepared into frames/ of the run."),
    ] = None,
    taught: Annotated[Path | None, typer.Option(help="What `distillnerf teach` wrote about the recordings.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Features to render: what `distillnerf extract-features` wrote of the drives.")
    ] = None,
) -> None:
    """Trains the predictor; started again with the same output folder, it goes on where it stopped.

    On several devices: torchrun --nproc-per-node 8 -m distillnerf_core.cli.main train CONFIG --set batch=8
    """
    from torch.utils.tensorboard import SummaryWriter

    from distillnerf_core.configuration import load_config
    from distillnerf_core.training.config import TrainConfig

    settings = load_config(config, TrainConfig, override or ())
    if features is not None:
        settings = settings.model_copy(update={"features": features})
    if bag:
        settings = settings.model_copy(update={"data": _prepare(settings, bag, taught)})
    trainer = _create_trainer(settings, init)
    resumed = trainer.resume()
    if not trainer.fabric.is_global_zero:
        trainer.run()
        return
    if resumed:
        print(f"resuming at step {trainer.step} of {settings.steps}")
    with SummaryWriter(str(settings.out / "tensorboard")) as log:
        trainer.run(log)
    print(f"predictor: {settings.out / 'predictor.safetensors'}")
    if export is not None:
        trainer.export(export, half=True)
        print(f"exported: {export}")


def _create_trainer(settings: "TrainConfig", init: Path | None) -> "Trainer":
    """Opens the frames, and the features where some are learnt, and says what the features of the network mean."""
    from distillnerf_core.language.encoders import MiniLmEncoder
    from distillnerf_core.model.checkpoint import load_predictor
    from distillnerf_core.training.feature_training import add_features, create_feature_space, open_features
    from distillnerf_core.training.prepared import open_frames
    from distillnerf_core.training.trainer import Trainer

    cache = open_features(settings)
    space = create_feature_space(cache, MiniLmEncoder(), settings.predictor.language_channels)
    frames = open_frames(settings.data)
    loaded = None if init is None else load_predictor(init)
    return Trainer(settings, frames if cache is None else add_features(frames, cache, settings), space, loaded)


def _prepare(settings: "TrainConfig", recordings: list[str], taught: Path | None) -> Path:
    """Prepares the frames of recordings beside the run, and returns their folder."""
    import os

    from distillnerf_core.cli.prepare import prepare_drives
    from distillnerf_core.data.drive_sources import DriveOptions
    from distillnerf_core.errors import ConfigurationError
    from distillnerf_core.training.drive_supervision import SupervisionConfig

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigurationError(
            "--bag is for one process: write the frames once with `distillnerf prepare`, and name them with data"
        )
    folder = settings.out / "frames"
    size = (settings.predictor.image_height, settings.predictor.image_width)
    prepare_drives(folder, recordings, taught, DriveOptions(), size, SupervisionConfig())
    return folder
