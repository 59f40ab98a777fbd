"""When the forecast is wrong: by hour, by weekday, by how far ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from citytune._text import duration, number
from citytune.frame import Clock
from citytune.reporting import _charts as charts
from citytune.reporting import _measures as measures
from citytune.reporting import _words as words
from citytune.reporting._material import Material
from citytune.reporting._measures import Profile

HEADINGS = {
    "hour": ("By hour of the day", "hour of the day, local time"),
    "weekday": ("By weekday", "weekday"),
    "ahead": ("By how far ahead", "time ahead"),
}


def when(material: Material) -> dict[str, Any] | None:
    """The profiles there are, with one legend for all; None without any."""
    if material.scores is None or not (names := measures.rivals(material.scores)):
        return None
    detail, clock = material.scores.detail, material.frame.clock
    ahead = _ahead_ticks(clock)
    found = [
        _profile(material, "hour", measures.by_hour(detail, names), _hour, charts.hour_ticks),
        _profile(
            material, "weekday", measures.by_weekday(detail, names), _weekday, charts.weekday_ticks
        ),
        _profile(material, "ahead", measures.by_horizon(detail, names), _ahead(clock), ahead),
    ]
    profiles = [one for one in found if one]
    legend = [(material.call(name), charts.look(name)) for name in names]
    return {"profiles": profiles, "legend": legend} if profiles else None


def _hour(at: float) -> str:
    return f"{int(at):02d}:00"


def _weekday(at: float) -> str:
    return words.WEEKDAY_NAMES[int(at)]


def _ahead(clock: Clock) -> Callable[[float], str]:
    return lambda at: f"{duration(round(at) * clock.step)} ahead"


def _profile(
    material: Material,
    kind: str,
    profile: Profile | None,
    place: Callable[[float], str],
    ticks: Callable[[Profile], Mapping[str, Any]],
) -> dict[str, Any] | None:
    if profile is None or not len(profile.at):
        return None
    heading, axis = HEADINGS[kind]
    names = {name: material.call(name) for name in profile.errors}
    quantity = material.frame.quantity
    return {
        "id": kind,
        "heading": heading,
        "axis": axis,
        "text": _worst(profile, place, material.unit),
        "figure": charts.error_profile(profile, names, quantity, axis, **ticks(profile)),
        "columns": list(names.values()),
        "rows": [
            [place(at), *(number(float(errors[i])) for errors in profile.errors.values())]
            for i, at in enumerate(profile.at)
        ],
    }


def _worst(profile: Profile, place: Callable[[float], str], unit: str) -> str:
    tuned = profile.errors.get("tuned")
    if tuned is None or not np.isfinite(tuned).any():
        return ""
    worst = int(np.nanargmax(tuned))
    error = f"{number(float(tuned[worst]))} {unit}".rstrip()
    return f"Largest error: {place(profile.at[worst])} ({error})."


def _ahead_ticks(clock: Clock) -> Callable[[Profile], Mapping[str, Any]]:
    """Axis settings for steps ahead: a few round places, in words."""

    def ticks(profile: Profile) -> Mapping[str, Any]:
        last = float(profile.at.max())
        a_day, an_hour = clock.steps_per_day, max(1, clock.steps_per_day // 24)
        sizes = [an_hour * k for k in (1, 2, 3, 6, 12)] + [a_day * k for k in (1, 2, 7)]
        size = next((size for size in sizes if last / size <= 7), 2 * sizes[-1])
        at = [*range(size, int(last) + 1, size)] or [round(last)]
        return {"tickvals": at, "ticktext": [duration(step * clock.step) for step in at]}

    return ticks
