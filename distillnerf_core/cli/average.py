"""`distillnerf average`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def average(
    trained: Annotated[Path, typer.Argument(help="Predictor that further training made.")],
    out: Annotated[Path, typer.Option(help="Where to write the predictor (*.safetensors, 16-bit).")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the trained one.")] = 0.5,
    before: Annotated[Path | None, typer.Option(help="Predictor it began with; default: the shipped one.")] = None,
) -> None:
    """Averages the weights of a predictor with those that its training began with.

    What lies between is often better at the new data and as good at the old. Choose the share on data of their own.
    """
    from distillnerf_core.model.averaging import average_predictors

    average_predictors(before, trained, share, out)
    typer.echo(f"predictor: {out}")
