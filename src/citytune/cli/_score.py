"""`citytune score`: how good a tuned model is on newer readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from citytune._errors import InputError
from citytune.cli._alerts import Alerts
from citytune.cli._console import note, say, say_json, stages
from citytune.cli._engine import USUAL, Engine, Group, refuse_with_engine
from citytune.cli._forecast import Run
from citytune.cli._reading import Json, reads_a_file
from citytune.cli._weeks import weeks
from citytune.runs import Reading, open_run

if TYPE_CHECKING:
    from citytune.runs import Run as OpenRun


@reads_a_file
def score(
    run: Run,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="Readings up to now; without it, forecasts of the past are shown week by week.",
        ),
    ] = None,
    *,
    reading: Reading,
    days: Annotated[
        float | None,
        typer.Option(metavar="N", show_default=False, help="Score only the last N days."),
    ] = None,
    alert: Alerts = None,
    engine: Engine = None,
    group: Group = USUAL,
    json: Json = False,
) -> None:
    """Score a tuned model on a file, compared with the zero-shot model and simple rules.

    Scored are the rows newer than those the model was fitted on. If there are none, the last part
    of the file is held out and the model fitted anew on what lies before; the answer says so. FILE
    is read as the run's own file was, unless you say otherwise. Without FILE you see how the
    forecasts that the run has made did, week by week, as far as `citytune refresh` has read what
    came; its report draws the same.

    ```
    citytune score runs/loops
    citytune score runs/loops loops-until-today.csv
    citytune score runs/air air-until-today.csv --alert 'pm2.5>150' --alert 'pm2.5>250'
    ```
    """
    if file is None:
        if days is not None or alert:
            raise InputError("--days and --alert are about a FILE to score; name it, too")
        _tell_record(open_run(run), json)
        return
    if engine is not None:
        refuse_with_engine(alert=alert)
        with stages() as progress:
            scores = open_run(run).score_groups(
                file, engine=engine, group=group, days=days, progress=progress, **reading.said()
            )
        if json:
            say_json({"run": str(run), "refitted": False, **scores.summary()})
        else:
            say(str(scores))
        return
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


def _tell_record(opened: OpenRun, json: bool) -> None:
    """How the forecasts did that the run has made."""
    from citytune.evaluation import record_summary
    from citytune.frame import Quantity

    table = opened.record
    if json:
        say_json({"run": str(opened.path), "record": record_summary(table)})
    else:
        about = opened.scores or {}
        quantity = Quantity(about.get("quantity", "value"), about.get("unit", ""))
        watched = opened.watches(table["sensor"].unique().to_list()) if len(table) else ()
        alerts = {one.alert.column: one.alert.words(quantity) for one in watched}
        weeks(table, quantity.unit, alerts)
