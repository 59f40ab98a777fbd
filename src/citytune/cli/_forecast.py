"""`citytune forecast`: forecast on from newer readings with a tuned model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from citytune._files import check_file, new_file
from citytune._text import capital, counted
from citytune.cli._alerts import Alerts
from citytune.cli._console import note, say, stages
from citytune.cli._reading import reads_a_file
from citytune.cli._tomorrow import tomorrow
from citytune.runs import FORECAST, Reading, open_run

if TYPE_CHECKING:
    from citytune.runs import Run as OpenRun
    from citytune.writers import Choice

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
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", show_default="forecast.csv, or none with --to", help="File to write."
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            show_default=False,
            help="Where else to write: a file (.csv, .parquet, .xlsx, .jsonl, .jsonld, .sta.json), "
            "a table of a database, or a broker; repeat it for several.",
        ),
    ] = None,
    wide: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            show_default=False,
            help="With --to: a column for each sensor, of this column: mean, q50, …",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written.")
    ] = False,
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

    With `--to` it goes elsewhere, and every row also says of which run and model it is and when it
    was issued. A database keeps one row for each run, sensor and time: the newest.

    ```
    citytune forecast runs/loops loops-until-today.csv --out forecast.csv
    citytune forecast runs/air air-until-today.csv --alert 'pm2.5>50' --out forecast.csv
    citytune forecast runs/loops loops-until-today.csv --to forecast.parquet --to forecast.xlsx
    citytune forecast runs/loops loops-until-today.csv --to sqlite:///city.db#forecasts
    ```
    """
    from citytune.writers import Choice, check_target

    opened = open_run(run)
    choice = Choice(wide=wide, overwrite=overwrite, dry_run=dry_run)
    for target in to or ():
        check_target(target, choice)
    csv = out or (None if to else Path("forecast.csv"))
    if csv is not None:
        check_file(csv, overwrite)
    with stages() as progress:
        found = opened.forecast(file, alerts=alert or (), progress=progress, **reading.said())
    tomorrow(found)
    if file is None:
        _say_stored(opened)
    else:
        say(
            f"{counted(len(found.mean), 'step')} of {found.clock.freq} ahead for "
            f"{counted(len(found.sensors), 'sensor')}, from {found.clock.text(0)}"
        )
    if file is None and not alert:  # as it is there, whoever changed it
        stored = opened.file(FORECAST)
        _put(csv, choice, lambda draft: shutil.copyfile(stored, draft))
    else:
        _put(csv, choice, found.write_csv)
    for target in to or ():
        say(capital(found.write(target, wide=wide, overwrite=overwrite, dry_run=dry_run)))


def _say_stored(opened: OpenRun) -> None:
    note(f"without a FILE, this is the forecast that {opened.path} was written with")
    if opened.changed(FORECAST):
        note(f"{FORECAST} in {opened.path} has been changed since")


def _put(path: Path | None, choice: Choice, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all."""
    if path is None:
        return
    if choice.dry_run:
        say(f"Would write {path}")
        return
    with new_file(path, overwrite=choice.overwrite) as draft:
        write(draft)
    say(f"Written to {path}")
