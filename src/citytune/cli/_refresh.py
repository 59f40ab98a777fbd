"""`citytune refresh`: Monday's job in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from citytune._errors import NothingNew
from citytune._text import capital, chance, counted, listed, number, percent, plain
from citytune.cli._console import Quiet, note, say, say_json, stages
from citytune.cli._engine import OfRun, end
from citytune.cli._forecast import Run
from citytune.cli._reading import Json, reads_a_file
from citytune.cli._tomorrow import tomorrow, unusual
from citytune.runs import FORECAST, PARTS, By, Reading, Refreshed, open_run

if TYPE_CHECKING:
    from citytune.evaluation import Verified
    from citytune.forecasting import SensorOutlook
    from citytune.runs import Raised

RAISED = 3
"""Exit code: done, and an alert's chance has reached its level."""
GROUP_PARTS = "report.html, forecast/, scores.json, model, groups"
"""What a run by groups holds."""
MOST_NAMED = 5
"""Raised alerts that are named one by one."""


@reads_a_file
def refresh(
    run: Run,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            show_default=False,
            help="Readings up to now; by default the file that the run was made from.",
        ),
    ] = None,
    *,
    reading: Reading,
    refit: Annotated[
        bool, typer.Option("--refit", help="Do the whole job again, as the run was made.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Only let the model learn what is new, without asking.")
    ] = False,
    engine: OfRun = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Renew a run: read what is new, verify the last forecast, learn, forecast, and report.

    Says what changed in the source, how the last forecast did, and what the next day brings. All
    files in RUN are renewed or, if anything fails, none; `record/` keeps every forecast, and what
    was measured later. The model learns what is new. Where there is a reason, such as forecasts
    that got worse, it is compared with one fitted anew on the newest days, and the better one is
    taken; a sentence says which. SOURCE may hold only the new readings, as the run keeps the
    earlier ones. A broken sensor gets a naive forecast. If nothing is new, it says so and does
    nothing. The exit code is 3 if the chance of an alert has reached its level (30 % by default),
    so that a script can send a warning; a sensor that is silent or stuck raises none.

    ```
    citytune refresh runs/air
    citytune refresh runs/air air-until-today.csv; [ $? -eq 3 ] && echo 'air: alert'
    ```
    """
    by: By = "refit" if refit else "update" if update else "auto"
    try:
        with stages() as progress:
            found = open_run(run).refresh(
                source, by=by, engine=engine, progress=progress, **reading.said()
            )
    except NothingNew as nothing:
        if json:
            say_json({"run": str(run), "nothing_new": str(nothing)})
        else:
            note(f"{nothing}.")
        return
    if json:
        say_json({"run": str(run), **as_json(found)})
    else:
        tell(found)
        parts = ", ".join(reversed(PARTS))
        say(f"Renewed in {run}: {parts if (run / FORECAST).exists() else GROUP_PARTS}")
    end(found.bad)
    if found.raised:
        raise typer.Exit(RAISED)


def tell(found: Refreshed) -> None:
    """What came of it, in words."""
    for sentence in found.changes:
        say(f"{capital(sentence)}.")
    say(found.how)
    if found.last is None:
        say("Of the last forecast nothing has been measured yet.")
    else:
        say(f"The last forecast: {in_words(found.last, found)}.")
    if found.record is not None and found.record != found.last:
        say(f"All of the record: {in_words(found.record, found)}.")
    unusual(found.alarms)
    for sentence in found.forecast.notes:
        say(f"{capital(sentence)}.")
    tomorrow(found.forecast, found.outlook)
    for one in found.raised[:MOST_NAMED]:
        made = "" if one.quality.startswith("model") else f" ({one.quality}, not the model's)"
        say(f"Alert: {one.sensor}, {one.alert}: {chance(one.chance)}{made}.")
    if (hidden := len(found.raised) - MOST_NAMED) > 0:
        say(f"… and {counted(hidden, 'more alert')}.")
    if found.held:
        names = listed(list(dict.fromkeys(one.sensor for one in found.held)), MOST_NAMED)
        say(f"No alert of {names}, which measures nothing: its chances are those of a fallback.")


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
        "how": found.how,
        "last": None if found.last is None else found.last.summary(),
        "record": None if found.record is None else found.record.summary(),
        "raised": [_plain(one) for one in found.raised],
        "held": [_plain(one) for one in found.held],
        "alarms": [
            {"kind": one.kind, "sensor": one.sensor, "since": one.since, "text": one.sentence}
            for one in found.alarms
        ],
        "day": found.outlook.title,
        "sensors": [_plain(row) for row in found.outlook.rows],
    }


def _plain(row: Raised | SensorOutlook) -> dict[str, Any]:
    """As JSON, which has no NaN."""
    return {
        name: plain(value) if isinstance(value, float) else
        [plain(one) for one in value] if isinstance(value, tuple) else value
        for name, value in row._asdict().items()
    }  # fmt: skip
