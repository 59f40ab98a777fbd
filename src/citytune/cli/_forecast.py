"""`citytune forecast`: forecast on from newer readings with a tuned model."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from citytune._errors import InputError
from citytune._files import check_file, new_file
from citytune._text import capital, counted, listed
from citytune.cli._alerts import Alerts
from citytune.cli._completion import targets
from citytune.cli._console import Quiet, note, say, stages
from citytune.cli._engine import USUAL, Engine, Group, end, refuse_with_engine
from citytune.cli._reading import reads_a_file
from citytune.cli._tomorrow import tomorrow
from citytune.runs import FORECAST, Reading, open_run

if TYPE_CHECKING:
    from citytune.forecasting import Forecast
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
        typer.Argument(metavar="FILE", show_default=False, help="Readings up to now."),
    ] = None,
    *,
    reading: Reading,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            show_default="forecast.csv, or none with --to",
            help="File to write; with --engine a folder of Parquet, or its address.",
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            autocompletion=targets,
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
    engine: Engine = None,
    group: Group = USUAL,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Forecast on from the last row of a file, with a model tuned before.

    FILE is read as the run's own file was, unless you say otherwise. It needs the same clock; rows
    that the run has read before need not be in it. Its unit is converted, if it is another one.
    Sensors may be absent, silent or new; the others are forecast all the same. One that is broken
    gets a naive forecast, and it is said which. Without FILE you get the forecast that the
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
    citytune forecast runs/meters s3://city/meters/ --engine ray --out forecast/
    ```
    """
    if engine is not None:
        refuse_with_engine(to=to, wide=wide, dry_run=dry_run)
        if file is None:
            raise InputError("--engine forecasts on from a FILE; name it, too")
        with stages() as progress:
            written = open_run(run).forecast_into(
                file, "forecast" if out is None else str(out), engine=engine, group=group,
                alerts=alert or (), overwrite=overwrite, progress=progress, **reading.said(),
            )  # fmt: skip
        say(written.said)
        end(written.bad)
        return
    from citytune.readers import masked
    from citytune.writers import Choice, check_target

    opened = open_run(run)
    choice = Choice(wide=wide, overwrite=overwrite, dry_run=dry_run)
    csv = out or (None if to else Path("forecast.csv"))
    targets = [*([] if csv is None else [str(csv)]), *(to or ())]
    _refuse_twice(targets)
    if csv is not None:
        _refuse_other_kind(csv)
        check_file(csv, overwrite)
    for target in to or ():
        check_target(target, choice)
    with stages() as progress, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = opened.forecast(file, alerts=alert or (), progress=progress, **reading.said())
    for warning in told:
        if str(warning.message) not in found.notes:  # which are said below
            note(str(warning.message))
    for sentence in found.notes:
        say(f"{capital(sentence)}.")
    tomorrow(found)
    if file is None:
        _say_stored(opened)
    else:
        say(
            f"{counted(len(found.mean), 'step')} of {found.clock.freq} ahead for "
            f"{counted(len(found.sensors), 'sensor')}, from {found.clock.text(0)}"
        )
    ways: list[tuple[str, Callable[[], str]]] = []
    if csv is not None:
        as_it_is = file is None and not alert and (opened.path / FORECAST).exists()
        stored = opened.file(FORECAST) if as_it_is else None
        ways.append((str(csv), partial(_written, csv, choice, found, stored)))
    for target in to or ():
        how = partial(found.write, target, wide=wide, overwrite=overwrite, dry_run=dry_run)
        ways.append((masked(target), how))
    _write_all(ways)


def _refuse_other_kind(csv: Path) -> None:
    """Refuse to write CSV under the name of another kind of file, which no program then opens."""
    from citytune.readers import masked
    from citytune.writers import marks

    name = masked(str(csv))
    for ending in marks():
        if ending.startswith(".") and ending != ".csv" and name.lower().endswith(ending):
            raise InputError(f"--out writes CSV, and {name} ends in {ending}; use --to {name}")


def _refuse_twice(targets: Sequence[str]) -> None:
    """Refuse one target under two names, such as a.csv and ./a.csv, or a link and its file."""
    from citytune.readers import is_address, masked

    seen: dict[str, str] = {}
    for target in targets:
        place = target if is_address(target) else str(Path(target).expanduser().resolve())
        if place in seen:
            same = "" if seen[place] == target else f", as {masked(seen[place])} is the same"
            raise InputError(f"{masked(target)} is named twice{same}; name each target once")
        seen[place] = target


def _write_all(ways: Sequence[tuple[str, Callable[[], str]]]) -> None:
    """Write to one target after the other; if one fails, say what was written and what not."""
    names = [name for name, _ in ways]
    for done, (_, write) in enumerate(ways):
        try:
            said = write()
        except InputError as error:
            if len(ways) == 1:
                raise
            before = listed(names[:done]) or "nothing"
            raise InputError(
                f"{str(error).rstrip('.')}. Written before that: {before}; not written: "
                f"{listed(names[done:])}"
            ) from error
        say(capital(said))


def _say_stored(opened: OpenRun) -> None:
    note(f"without a FILE, this is the forecast that {opened.path} was written with")
    if opened.changed(FORECAST):
        note(f"{FORECAST} in {opened.path} has been changed since")


def _written(path: Path, choice: Choice, found: Forecast, stored: Path | None) -> str:
    """Write a file whole or not at all: a copy of one that is there, or the forecast."""
    if choice.dry_run:
        return f"would write {path}"
    with new_file(path, overwrite=choice.overwrite) as draft:
        if stored is not None:
            shutil.copyfile(stored, draft)
        else:
            found.write_csv(draft)
    return f"written to {path}"
