"""`citytune refresh`: Monday's job in one command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from citytune._text import capital, counted, number, percent
from citytune.cli._console import note, say, say_json, stages
from citytune.cli._forecast import Run
from citytune.cli._reading import Json, reads_a_file
from citytune.cli._tomorrow import tomorrow
from citytune.runs import PARTS, Reading, Refreshed, Verified, open_run

RAISED = 3
"""Exit code: done, and an alert's chance has reached its level."""
MOST = 5
"""Raised alerts that are named one by one."""


@reads_a_file
def refresh(
    run: Run,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            show_default=False,
            help="Readings up to now; by default the file that the run was made from.",
        ),
    ] = None,
    *,
    reading: Reading,
    refit: Annotated[
        bool, typer.Option("--refit", help="Do the whole job again, as the run was made.")
    ] = False,
    json: Json = False,
) -> None:
    """Renew a run: read what is new, verify the last forecast, learn, forecast, and report.

    Says what changed in the source, how the last forecast did, and what the next day brings. Every
    file in RUN is renewed, all of them or, after any failure, none; `record/` keeps every forecast
    that was written, and what came. It ends with exit code 3 if the chance of an alert has reached
    its level (30 %, if nothing else was said), so that a script can send a warning.

    ```
    citytune refresh runs/air
    citytune refresh runs/air air-until-today.csv || [ $? -eq 3 ] && echo 'air: alert'
    ```
    """
    by = "refit" if refit else "update"
    with stages() as progress:
        found = open_run(run).refresh(source, by=by, progress=progress, **reading.said())  # type: ignore[arg-type]
    if json:
        say_json({"run": str(run), **as_json(found)})
    else:
        tell(found)
        say(f"Renewed in {run}: {', '.join(reversed(PARTS))}")
    if found.raised:
        raise typer.Exit(RAISED)


def tell(found: Refreshed) -> None:
    """What came of it, in words."""
    for sentence in found.changes:
        say(f"{capital(sentence)}.")
    if found.last is None:
        say("Of the last forecast nothing has been measured yet.")
    else:
        say(f"The last forecast: {in_words(found.last, found)}.")
    if found.record is not None and found.record != found.last:
        say(f"All of the record: {in_words(found.record, found)}.")
    for sentence in found.forecast.notes:
        note(f"{sentence}")
    tomorrow(found.forecast)
    for one in found.raised[:MOST]:
        say(f"Alert: {one.sensor}, {one.alert}: {percent(one.chance)}.")
    if (hidden := len(found.raised) - MOST) > 0:
        say(f"… and {counted(hidden, 'more alert')}.")


def in_words(one: Verified, found: Refreshed) -> str:
    """How forecasts did."""
    unit = f" {found.forecast.quantity.unit}".rstrip()
    return (
        f"mean error {number(one.mae)}{unit}, yesterday's values {number(one.naive)}{unit}; "
        f"{percent(one.coverage)} of {counted(one.values, 'value')} in the 90 % interval"
    )


def as_json(found: Refreshed) -> dict[str, Any]:
    """What came of it, for programs."""
    return {
        "changes": list(found.changes),
        "last": None if found.last is None else found.last._asdict(),
        "record": None if found.record is None else found.record._asdict(),
        "raised": [one._asdict() for one in found.raised],
        "day": found.outlook.title,
        "sensors": [row._asdict() for row in found.outlook.rows],
    }
