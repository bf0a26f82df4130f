"""`distillnerf predict`: perceives a recording without ROS and writes everything to files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distillnerf_core.cli.recording import (
    CheckpointOption,
    ConfigOption,
    DeviceOption,
    OpenRecording,
    PresetOption,
    QueryOption,
    open_recording,
)

if TYPE_CHECKING:
    from distillnerf_core.model.progress import ProgressListener
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.streams.frame_assembler import AssembledFrame

app = typer.Typer()

_PATIENCE_S = (2.0, 0.5)
"""A frame that takes longer than the first shows its stage, anew after each of the second."""


@app.command()
def predict(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures, depth, occupancy and summary.json.")],
    query: QueryOption = None,
    checkpoint: CheckpointOption = None,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Stop after this many frames.")] = None,
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    preset: PresetOption = "auto",
    prior_size: Annotated[
        int, typer.Option(help="Published network: shorter side of its depth prior's images; 0: 518, as published.")
    ] = 0,
    dtype: Annotated[
        str, typer.Option(help="Precision of the image encoder (published: of the depth prior): float32 or bfloat16.")
    ] = "float32",
    clip_folder: Annotated[str, typer.Option(help="Features of CLIP: Hugging Face folder of CLIP ViT-L/14@336.")] = "",
    clip_compression: Annotated[str, typer.Option(help="Published variants -clip: file clip_reduction_pca.npz.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the summary here.")] = None,
) -> None:
    """Runs the perception pipeline on a bag, without ROS."""
    from distillnerf_core.configuration import parse_config
    from distillnerf_core.errors import BagError
    from distillnerf_core.model.options import ModelOptions

    run = {"prior_size": prior_size, "dtype": dtype}
    language = {"clip_folder": clip_folder, "clip_compression": clip_compression}
    options = parse_config({**run, **language}, ModelOptions, "options of predict")
    recording = open_recording(bag, checkpoint, query or (), device, preset, config, options)
    if recording.asked is None:
        _warn_of_missing_texts(recording.pipeline)
    frames: list[dict[str, Any]] = []
    try:
        _perceive_all(recording, out, max_frames, frames)
    except BagError:
        # What a cut recording gave before its end is kept.
        _report(frames, list(recording.source.problems), out, json_file)
        raise
    _report(frames, list(recording.source.problems), out, json_file)


def _warn_of_missing_texts(pipeline: "PerceptionPipeline") -> None:
    """Fails before minutes of inference where texts are meant to work; elsewhere says that they do not."""
    from distillnerf_core.errors import LanguageError
    from distillnerf_core.language.text_space import NoTexts

    if isinstance(pipeline.language, NoTexts):
        if pipeline.language.faulty:
            raise LanguageError(pipeline.language.reason)
        typer.echo(f"warning: {pipeline.language.reason}", err=True)


def _perceive_all(recording: OpenRecording, out: Path, max_frames: int | None, frames: list[dict[str, Any]]) -> None:
    from tqdm import tqdm

    from distillnerf_core.model.progress import PatientListener

    with tqdm(desc="predict", unit="frame", total=max_frames) as bar:
        for number, assembled in enumerate(recording.frames()):
            listener = PatientListener(lambda progress, _: bar.set_postfix_str(str(progress)), *_PATIENCE_S)
            frames.append(_perceive_one(assembled, recording, out / f"frame_{number:04d}", listener))
            bar.set_postfix_str("", refresh=False)
            bar.update()
            if max_frames is not None and len(frames) >= max_frames:
                break


def _perceive_one(
    assembled: "AssembledFrame", recording: OpenRecording, folder: Path, progress: "ProgressListener"
) -> dict[str, Any]:
    from distillnerf_core.perception.export import write_image, write_result
    from distillnerf_core.perception.pictures.overview import QueryPicture, draw_overview
    from distillnerf_core.perception.summary import describe_frame

    pipeline, asked = recording.pipeline, recording.asked
    result = pipeline.perceive(assembled.frame, progress=progress)
    answer = pipeline.query(result, asked) if asked else None
    pictures = []
    if asked is not None and answer is not None:
        heat = pipeline.query_images(result, asked)
        pictures = [QueryPicture(text, answer, row, heat[row]) for row, text in enumerate(asked.texts)]
    write_result(folder, result)
    title = f"distillnerf  |  {result.stamp_ns * 1e-9:.3f} s"
    write_image(folder / "overview.png", draw_overview(result, pictures, title))
    return describe_frame(result, answer)


def _report(frames: list[dict[str, Any]], problems: list[str], out: Path, json_file: Path | None) -> None:
    import json

    from distillnerf_core.perception.summary import summarise_frames

    summary = summarise_frames(frames)
    text = json.dumps({"summary": summary, "problems": problems, "frames": frames}, indent=2)
    for path in (out / "summary.json", json_file):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
    for problem in problems:
        typer.echo(f"problem: {problem}", err=True)
    if frames:
        _print_tables(summary)
        typer.echo(f"pictures and arrays: {out / 'frame_0000'} ...; figures: {out / 'summary.json'}")


def _print_tables(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    stages = Table("figure", "value", title="frames")
    stages.add_row("frames (motion-compensated)", f"{summary['frames']} ({summary['motion_compensated_frames']})")
    stages.add_row("cameras, mean", f"{summary['mean_cameras']:.1f}")
    stages.add_row("occupied voxels, mean", f"{summary['mean_occupied_voxels']:.0f}")
    for stage, duration in summary["mean_timings_ms"].items():
        stages.add_row(f"{stage}, mean", f"{duration:.0f} ms")
    console = Console()
    console.print(stages)
    if summary["queries"]:
        answers = Table("text", "best score", "voxels, mean", title="answers")
        for text, answer in summary["queries"].items():
            answers.add_row(text, f"{answer['max_score']:.2f}", f"{answer['mean_count']:.0f}")
        console.print(answers)
