"""`citytune score`: how good a tuned model is on newer readings."""

from __future__ import annotations

from typing import Annotated

import typer

from citytune.cli._alerts import Alerts
from citytune.cli._console import note, say, say_json, stages
from citytune.cli._forecast import Run
from citytune.cli._reading import File, Json, reads_a_file
from citytune.runs import Reading, open_run


@reads_a_file
def score(
    run: Run,
    file: File,
    *,
    reading: Reading,
    days: Annotated[
        float | None,
        typer.Option(metavar="N", show_default=False, help="Score only the last N days."),
    ] = None,
    alert: Alerts = None,
    json: Json = False,
) -> None:
    """Score a tuned model on a file, compared with the zero-shot model and simple rules.

    Scored are the rows newer than those the model was fitted on. If there are none, the last part
    of the file is held out and the model fitted anew on what lies before; the answer says so. FILE
    is read as the run's own file was, unless you say otherwise.

    ```
    citytune score runs/loops loops-until-today.csv
    citytune score runs/air air-until-today.csv --alert 'pm2.5>150' --alert 'pm2.5>250'
    ```
    """
    with stages() as progress:
        asked = reading.said()
        found = open_run(run).score(file, days=days, alerts=alert or (), progress=progress, **asked)
    if found.refitted:
        note(
            "the file has no rows newer than those the model was fitted on; scored is the same "
            "kind of model, fitted only on what lies before the rows scored"
        )
    if json:
        say_json({"run": str(run), "refitted": found.refitted, **found.summary()})
    else:
        say(str(found))
