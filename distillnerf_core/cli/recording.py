"""Opens what `predict`, `export` and `view` work on: a recording, and the pipeline that perceives it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from distillnerf_core.model.options import ModelOptions
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.perception.query import TextQuery
    from distillnerf_core.streams.bag_frames import BagFrameSource
    from distillnerf_core.streams.frame_assembler import AssembledFrame

CheckpointOption = Annotated[Path | None, typer.Option(help="Predictor to run; default: the shipped one.")]
QueryOption = Annotated[list[str] | None, typer.Option(help="What to look for; may be given several times.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
PresetOption = Annotated[str, typer.Option(help="Camera layout: auto, a preset's name or a YAML file.")]
ConfigOption = Annotated[Path | None, typer.Option(help="YAML file of perception outputs (depth, occupancy, query).")]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="How the network is run, such as prior_size=252; names as in the node's model.*"
    ),
]


@dataclass(frozen=True)
class OpenRecording:
    """A recording and what perceives it.

    Attributes:
        pipeline: Perception.
        source: Frames of the recording.
        asked: Question, None without one.
        base_frame: Body frame that outputs are in.
    """

    pipeline: "PerceptionPipeline"
    source: "BagFrameSource"
    asked: "TextQuery | None"
    base_frame: str

    def frames(self) -> Iterator["AssembledFrame"]:
        """Yields the frames.

        Raises:
            BagError: If there is none, saying why; or after the last frame of a cut recording.
        """
        from distillnerf_core.errors import BagError

        count = 0
        for count, assembled in enumerate(self.source, 1):  # noqa: B007 - counted for the check below
            yield assembled
        if not count:
            reasons = "; ".join(self.source.problems) or "no complete sweep of cameras"
            raise BagError(f"{self.source.path}: no frame could be perceived: {reasons}")


def open_recording(
    bag: Path,
    checkpoint: Path | None,
    query: Sequence[str],
    device: str = "auto",
    preset: str = "auto",
    config: Path | None = None,
    options: "ModelOptions | None" = None,
) -> OpenRecording:
    """Opens a recording and loads the network; what is wrong with options shows before minutes of inference.

    Raises:
        DistillNerfError: If the recording, the checkpoint or an option cannot be used.
    """
    from distillnerf_core.configuration import load_config
    from distillnerf_core.perception.config import PerceptionConfig
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.perception.query import TextQuery
    from distillnerf_core.streams.bag_frames import BagFrameSource
    from distillnerf_core.streams.stream_config import StreamConfig

    settings = load_config(config, PerceptionConfig) if config else PerceptionConfig()
    asked = TextQuery(tuple(query)) if query else None
    pipeline = PerceptionPipeline.from_checkpoint(checkpoint, settings, device, options=options)
    if asked is not None:
        pipeline.encode_query(asked)
    stream = StreamConfig(preset=preset)
    source = BagFrameSource(bag, *pipeline.input_size, stream)
    return OpenRecording(pipeline, source, asked, stream.motion.base_frame)


def model_options(texts: Sequence[str]) -> "ModelOptions":
    """Reads the values of the option --model.

    Raises:
        ConfigurationError: Naming what is wrong with them.
    """
    import yaml

    from distillnerf_core.configuration import parse_config
    from distillnerf_core.errors import ConfigurationError
    from distillnerf_core.model.options import ModelOptions

    values: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise ConfigurationError(f"--model {text!r}: expected NAME=VALUE, such as prior_size=252")
        values[name] = yaml.safe_load(value)
    return parse_config(values, ModelOptions, "--model")
