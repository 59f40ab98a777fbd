"""What a run keeps of how it was made: its source, its settings, its alerts."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import RunError
from citytune.settings import Rare, Settings

if TYPE_CHECKING:
    from citytune.forecasting import Forecast, Watch
    from citytune.runs._job import Job

_ADDRESS = re.compile(r"(?P<scheme>\w[\w+.-]+)://(?P<rest>.*)", re.DOTALL)
HIDDEN = "***"
"""What stands in place of a user, a password or a query, which may hold a key."""


def kept_of(source: object, job: Job, forecast: Forecast) -> dict[str, Any]:
    """How a run was made, as JSON."""
    return {
        "source": masked(source),
        "settings": kept_settings(job.settings),
        "alerts": [watch.kept(forecast.sensors) for watch in forecast.alerts],
    }


def watches_of(made: Mapping[str, Any], sensors: Sequence[str]) -> tuple[Watch, ...]:
    """The alerts of a run on the sensors of a forecast."""
    from citytune.forecasting import Watch

    try:
        return tuple(Watch.of_kept(one, sensors) for one in made.get("alerts", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the alerts of the run are damaged ({error}); tune anew") from error


def masked(source: object) -> str | None:
    """A path from the root, or an address without what may be secret; None for a table.

    >>> masked("https://me:secret@example.org/air.csv?key=1")
    'https://***@example.org/air.csv?***'
    """
    if not isinstance(source, str | os.PathLike):
        return None
    text = os.fspath(source)
    found = _ADDRESS.fullmatch(str(text))
    if found is None:
        return str(Path(str(text)).resolve())
    place, mark, _query = found["rest"].partition("?")
    before, at, _host = place.partition("/")[0].rpartition("@")
    place = place.removeprefix(before + at) if at else place
    return f"{found['scheme']}://{HIDDEN + '@' if at else ''}{place}{mark + HIDDEN if mark else ''}"


def kept_settings(settings: Settings) -> dict[str, Any]:
    """Settings as JSON; only what differs from the usual."""
    usual = Settings(horizon=settings.horizon)
    found = {one.name: getattr(settings, one.name) for one in fields(Settings)}
    said = {name: value for name, value in found.items() if value != getattr(usual, name)}
    said |= {"horizon": _time(settings.horizon)}
    if "options" in said:
        said["options"] = dict(said["options"])
    if isinstance(settings.rare, Rare):
        given = asdict(settings.rare)
        said["rare"] = {name: value for name, value in given.items() if value is not None}
    elif "rare" in said and not isinstance(said["rare"], str | bool):
        said["rare"] = list(said["rare"])
    return said


def settings_of(kept: Mapping[str, Any]) -> Settings:
    """From what `kept_settings` gave."""
    rare = kept.get("rare")
    own = {"rare": Rare.load(rare)} if isinstance(rare, dict) else {}
    return Settings(**{**kept, **own})


def _time(horizon: object) -> object:
    """A span of time in words."""
    if isinstance(horizon, dt.timedelta):
        return f"{round(horizon.total_seconds() / 60)}min"
    return horizon
