"""`distillnerf convert-checkpoint`: published weights to a file that the commands and the node read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from distillnerf_core.model.reference.conversion import ConvertedWeights

app = typer.Typer()

_HASHED_AT_ONCE = 1 << 22


@app.command()
def convert_checkpoint(
    source: Annotated[Path, typer.Argument(metavar="IN.pth", help="Published checkpoint, as downloaded.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="Where to write the weights.")],
    variant: Annotated[
        str,
        typer.Option(help="auto, or a name such as reference-clip, which has the shapes of reference-dino."),
    ] = "auto",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Also ignore tensors whose names begin so; may be given several times."),
    ] = None,
    depth_prior: Annotated[
        Path | None,
        typer.Option(help="Hugging Face folder of Depth Anything v1 base; used where IN has no depth prior."),
    ] = None,
    replace_depth_prior: Annotated[
        bool, typer.Option("--replace-depth-prior", help="Use the folder's depth prior even where IN has one.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Converts a published DistillNeRF checkpoint. Nothing in it is executed, nothing is downloaded.

    The weights keep their licence: those of NVIDIA are CC BY-NC-SA 4.0, non-commercial.
    """
    from distillnerf_core.model.reference.conversion import convert_state_dict
    from distillnerf_core.model.reference.mmcv import read_checkpoint
    from distillnerf_core.model.reference.weights_file import save_reference

    _check_target(source, target, force)
    tensors = read_checkpoint(source)
    prior = _read_prior(tensors, depth_prior, replace_depth_prior)
    weights = convert_state_dict(tensors, variant, drop=drop or (), source=str(source), prior=prior)
    provenance: dict[str, object] = {"source": source.name, "sha256": _sha256(source), "shapes_fit": weights.fitting}
    if prior is not None and depth_prior is not None:
        provenance["depth_prior"] = _describe_prior(depth_prior)
    typer.echo(f"writing {target}")
    save_reference(target, weights, provenance)
    _report(weights, target)


def _check_target(source: Path, target: Path, force: bool) -> None:
    from distillnerf_core.errors import CheckpointError

    if target.suffix != ".safetensors":
        raise CheckpointError(f"{target}: the name of the converted file must end in .safetensors")
    if target.exists() and source.exists() and target.samefile(source):
        raise CheckpointError(f"{target} is the input itself: name another file")
    if target.exists() and not force:
        raise CheckpointError(f"{target} exists: name another file, or overwrite it with --force")


def _read_prior(tensors: "Mapping[str, Tensor]", folder: Path | None, replace: bool) -> "dict[str, Tensor] | None":
    """Returns the tensors of the folder's depth prior; None where the checkpoint's own shall be taken."""
    from distillnerf_core.errors import CheckpointError
    from distillnerf_core.model.depth_prior.extractor import DepthPriorConfig
    from distillnerf_core.model.depth_prior.hugging_face import read_depth_prior
    from distillnerf_core.model.reference.names import has_depth_prior

    if folder is None:
        if replace:
            raise CheckpointError("--replace-depth-prior: say with --depth-prior FOLDER what to take instead")
        return None
    if has_depth_prior(tensors) and not replace:
        typer.echo("note: the checkpoint's own depth prior is taken; --replace-depth-prior takes the folder's")
        return None
    return read_depth_prior(folder, DepthPriorConfig())


def _describe_prior(folder: Path) -> dict[str, str]:
    from distillnerf_core.model.depth_prior.hugging_face import find_weights

    file = find_weights(folder)
    return {"source": f"{folder.resolve().name}/{file.name}", "sha256": _sha256(file)}


def _sha256(path: Path) -> str:
    import hashlib

    from tqdm import tqdm

    digest = hashlib.sha256()
    with path.open("rb") as file, tqdm(total=path.stat().st_size, desc="sha256", unit="B", unit_scale=True) as bar:
        while block := file.read(_HASHED_AT_ONCE):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def _report(weights: "ConvertedWeights", target: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("tensors", "what became of them", title=weights.variant)
    values = sum(tensor.numel() for tensor in weights.tensors.values())
    table.add_row(str(len(weights.tensors)), f"taken, {values:,} values")
    for reason, count in sorted(weights.reasons().items(), key=lambda item: -item[1]):
        table.add_row(str(count), f"ignored: {reason}")
    Console().print(table)
    if weights.variant not in weights.fitting:
        typer.echo(f"note: shapes and image size are those of {' or '.join(weights.fitting) or 'no known variant'}")
    typer.echo(f"{target}: {target.stat().st_size / 2**20:.0f} MiB")
