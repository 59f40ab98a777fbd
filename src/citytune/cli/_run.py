"""`citytune run`: every run of a config file, made anew or refreshed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from citytune._errors import InputError, NothingNew, OlderSource, UnknownName
from citytune.cli._console import Quiet, complain, note, say, stages
from citytune.cli._refresh import RAISED, tell
from citytune.cli._tomorrow import tomorrow
from citytune.runs import (
    SCORES,
    Planned,
    Progress,
    open_run,
    overview_of,
    read_config,
    run_job,
    write_overview,
)

Config: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", show_default=False, help="File such as citytune.toml; see docs/daily.md."
    ),
]
FAILED = 2


def run(
    config: Config,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", show_default=False, help="Only this run; may be repeated."),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make runs that are there anew, and not refresh them.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Do every run of a config file: the first time tune it, afterwards refresh it.

    A run that cannot be done does not stop the others, and one without new readings stays as it is,
    as does one that was refreshed meanwhile from a newer file than the config names.
    Several runs are shown on one page, `runs/overview.html`. The exit code is 3 if the chance of an
    alert has reached its level, otherwise 2 if one could not be done.

    ```
    citytune tune air.csv --horizon 24h --target pm25 --out runs/air --save-config citytune.toml
    citytune run citytune.toml
    ```
    """
    planned = read_config(config)
    names = [one.name for one in planned]
    for name in only or ():
        if name not in names:
            raise UnknownName(f"run of {config}", name, names)
    troubles: dict[str, str] = {}
    page = overview_of(config)
    codes = [_do(one, troubles, anew=anew) for one in planned if not only or one.name in only]
    if len(planned) > 1:
        codes.append(_overview(planned, troubles, page))
    if worst := RAISED if RAISED in codes else max(codes):  # an alert goes before a fault
        raise typer.Exit(worst)


def _overview(planned: list[Planned], troubles: dict[str, str], page: Path) -> int:
    """Write the page of all runs; that it cannot be written hides no alert."""
    try:
        say(f"All runs on one page: {write_overview(planned, troubles, page)}")
    except (InputError, OSError) as error:
        complain(f"the page of all runs: {error}")
        return FAILED
    return 0


def _do(planned: Planned, troubles: dict[str, str], *, anew: bool) -> int:
    say(f"{planned.name}: {planned.out}")
    try:
        with stages() as progress:
            raised = _refreshed(planned, progress) if _is_there(planned, anew) else None
            raised = _made(planned, progress) if raised is None else raised
    except NothingNew as nothing:
        say(f"{nothing}.")
        say()
        return 0
    except OlderSource as older:  # it was refreshed from another file since
        note(f"{planned.name}: {older}, in the config, too; until then the run stays as it is")
        say()
        return 0
    except (InputError, OSError) as error:
        complain(f"{planned.name}: {error}")
        troubles[planned.name] = str(error)
        return FAILED
    say()
    return RAISED if raised else 0


def _is_there(planned: Planned, anew: bool) -> bool:
    return not anew and (planned.out / SCORES).exists()


def _refreshed(planned: Planned, progress: Progress) -> bool:
    said = planned.job.reading.said()
    run = open_run(planned.out)
    if run.made_otherwise(planned.job):
        complain(
            f"{planned.out} was made with other settings or alerts than the config says now; "
            "they hold once it is made again, by --anew"
        )
    found = run.refresh(planned.source, progress=progress, **said)
    tell(found)
    return bool(found.raised)


def _made(planned: Planned, progress: Progress) -> bool:
    from citytune.forecasting import outlook

    made = run_job(planned.source, planned.job, planned.out, overwrite=True, progress=progress)
    forecast = made.made_from.forecast
    tomorrow(forecast)
    found = outlook(forecast)
    return any(any(found.raised(row)) for row in found.rows)
