"""`citytune forecast`: forecast on from newer readings with a tuned model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from citytune._files import new_file
from citytune._text import counted
from citytune.cli._alerts import Alerts
from citytune.cli._console import note, say, stages
from citytune.cli._reading import reads_a_file
from citytune.cli._tomorrow import tomorrow
from citytune.runs import FORECAST, Reading, open_run

Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", show_default=False, help="Folder that `citytune tune` wrote."),
]


@reads_a_file
def forecast(
    run: Run,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", show_default=False, help="Readings up to now."),
    ] = None,
    *,
    reading: Reading,
    out: Annotated[Path, typer.Option(metavar="CSV", help="File to write.")] = Path("forecast.csv"),
    alert: Alerts = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Forecast on from the last row of a file, with a model tuned before.

    FILE is read as the run's own file was, unless you say otherwise. It needs the same clock, and
    only a few weeks of rows. Its unit is converted, if it is another one. Sensors may be absent,
    silent or new; the others are forecast all the same. Without FILE you get the forecast that the
    run was written with. The table has the columns sensor, time, mean, the quantiles q05, q10 …
    q95, quality, which says what each value is, and a chance for each alert, such as p_above_50.
    Without --alert, those are the alerts of the run.

    ```
    citytune forecast runs/loops loops-until-today.csv --out forecast.csv
    citytune forecast runs/air air-until-today.csv --alert 'pm2.5>50' --out forecast.csv
    ```
    """
    opened = open_run(run)
    with new_file(out, overwrite=overwrite) as draft:
        with stages() as progress:
            asked = reading.said()
            found = opened.forecast(file, alerts=alert or (), progress=progress, **asked)
        if file is None and not alert:  # as it is there, whoever changed it
            shutil.copyfile(opened.file(FORECAST), draft)
        else:
            found.write_csv(draft)
    tomorrow(found)
    if file is None:
        note(f"without a FILE, this is the forecast that {run} was written with")
        if opened.changed(FORECAST):
            note(f"{FORECAST} in {run} has been changed since")
        say(f"Written to {out}")
        return
    say(
        f"{counted(len(found.mean), 'step')} of {found.clock.freq} ahead for "
        f"{counted(len(found.sensors), 'sensor')}, from {found.clock.text(0)}; written to {out}"
    )
