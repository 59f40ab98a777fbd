"""The commands, gathered under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from citytune.cli._advise import advise
from citytune.cli._check import check
from citytune.cli._demo import demo
from citytune.cli._export import export
from citytune.cli._forecast import forecast
from citytune.cli._models import models
from citytune.cli._pictures import count, tune_pictures
from citytune.cli._pretrain import pretrain
from citytune.cli._refresh import refresh
from citytune.cli._run import run
from citytune.cli._score import score
from citytune.cli._serve import serve, token, worker
from citytune.cli._tune import tune
from citytune.cli._update import update
from citytune.cli._words import speak_of

app = typer.Typer(
    name="citytune",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"citytune {version('citytune')}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done; 2 your input cannot be used, and one message says why; 1 an "
    "internal error (a bug in citytune); 3 done, and the chance of an alert has reached its level "
    "(refresh, run); 130 stopped by Ctrl-C, 143 by SIGTERM; 141 "
    "nobody reads what it prints any more (| head)."
)
def citytune(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="After a fault, show where it happened. May stand anywhere in a command.",
        ),
    ] = False,
) -> None:
    """Fine-tune pretrained models to a city's own sensors, safely, and forecast.

    Your data stay on this machine. Begin with `citytune demo`, or with your own file:

    ```
    citytune check loops.csv
    citytune tune loops.csv --horizon 24 --out runs/loops
    ```

    Then open `runs/loops/report.html` in a browser.
    """


COMMANDS = (
    demo, check, advise, tune, refresh, run, update, forecast, score, export, models, pretrain,
    tune_pictures, count, serve, worker, token,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
speak_of(app)
