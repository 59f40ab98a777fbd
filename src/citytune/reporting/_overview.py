"""Show the next day of several runs on one page, with a link to the report of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from citytune.reporting._html import render

if TYPE_CHECKING:
    from citytune.forecasting import Forecast

MOST_ROWS = 12
"""Sensors of a run; its report has all."""


@dataclass(frozen=True, eq=False)
class RunShown:
    """What an overview shows of a run."""

    name: str
    link: str
    """To its report, as seen from the overview."""
    forecast: Forecast | None
    """With its alerts; None if there is none."""
    trust: str = ""
    """How far to trust it, in a sentence."""
    trouble: str = ""
    """Why it was not renewed."""


def overview(runs: Sequence[RunShown], *, made: dt.date | None = None) -> str:
    """One self-contained page: the next day of each run, the sensors that matter first."""
    day = made or dt.datetime.now().astimezone().date()
    contents = {
        "title": f"Forecasts: {', '.join(run.name for run in runs)}",
        "runs": [_contents(run) for run in runs],
        "made": f"Made with citytune {version('citytune')} on {day}.",
    }
    return render(contents, "overview.html")


def _contents(run: RunShown) -> dict[str, Any]:
    from citytune.forecasting import outlook
    from citytune.reporting.sections import day_table

    forecast = run.forecast
    return {
        "name": run.name,
        "link": run.link,
        "trust": run.trust,
        "trouble": run.trouble,
        "quantity": "no forecast" if forecast is None else str(forecast.quantity).replace("_", " "),
        "day": None if forecast is None else day_table(forecast, outlook(forecast), MOST_ROWS),
    }
