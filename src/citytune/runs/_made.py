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

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""A variable of the environment in an address."""
HIDDEN = "***"
"""What stands in place of a user, a password or a query, which may hold a key."""


def kept_of(source: object, job: Job, forecast: Forecast) -> dict[str, Any]:
    """How a run was made, as JSON."""
    return {
        "source": place_of(source),
        "settings": kept_settings(job.settings),
        "alerts": kept_alerts(forecast),
        "asked": [str(alert) for alert in job.alerts],
        "compared": str(forecast.clock.moments(-1, 1)[0]),
    }


def kept_alerts(forecast: Forecast) -> list[dict[str, Any]]:
    """The alerts of a forecast, as JSON."""
    return [watch.kept(forecast.sensors) for watch in forecast.alerts]


def watches_of(made: Mapping[str, Any], sensors: Sequence[str]) -> tuple[Watch, ...]:
    """The alerts of a run on the sensors of a forecast."""
    from citytune.forecasting import Watch

    try:
        return tuple(Watch.of_kept(one, sensors) for one in made.get("alerts", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the alerts of the run are damaged ({error}); tune anew") from error


def place_of(source: object) -> str | None:
    """A path from the root, or an address without what may be secret; None for a table.

    >>> place_of("https://me:secret@example.org/air.csv?key=1")
    'https://***@example.org/air.csv?***'
    >>> place_of("postgresql://me:${PGWORD}@host/city")
    'postgresql://me:${PGWORD}@host/city'
    """
    from citytune.readers import as_given, is_address, masked

    if not isinstance(source, str | os.PathLike):
        return None
    given = as_given(source)
    if not is_address(given):
        return str(Path(os.fspath(given)).resolve())
    rest, said = VARIABLE.subn("", given)
    secret = re.search(r"://[^@]*[^:@/]@|[?#].*=[^&#]", rest)
    return given if said and not secret else masked(given)


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
