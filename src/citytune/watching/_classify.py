"""Name what has happened to a sensor, from its days since the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from citytune.watching._day import Day

FACTORS = (1000, 1.609344, 3.6, 100)
"""Between units: kW and W, miles and kilometres, km/h and m/s, shares and per cent."""
FACTOR_TOLERANCE = 0.08
"""Logarithmic distance from a factor within which the ratio is taken for it."""
SCATTER = 2
"""Times the usual roughness from which noise is to blame."""
NAMES = {
    "level": "level shift",
    "clock": "clock shifted",
    "naive": "worse than naive",
}
"""Statistic → kind of alarm, where the two differ."""


class Changed(NamedTuple):
    """A day since the change, with its statistics."""

    day: Day | None
    statistics: Mapping[str, float]


def classify(leading: str, days: Sequence[Changed], centre: Mapping[str, float]) -> str:
    """The kind of an alarm.

    Args:
        leading: The statistic with the most evidence.
        days: Since the change.
        centre: Statistic → its usual value.
    """
    readings = [one.day for one in days if one.day is not None]
    if readings and readings[-1].missing > 0.95:
        return "silent"
    if readings and _stuck(readings[-1]) and leading != "missing":
        return "frozen"
    if leading not in ("missing", "frozen", "level") and _rougher(days, centre):
        return "noise"
    if leading in ("level", "range", "error", "naive", "bias", "coverage") and (
        kind := _factor(days, centre)
    ):
        return kind
    return NAMES.get(leading, leading)


def evidence_of(days: Sequence[Changed], centre: Mapping[str, float]) -> dict[str, float]:
    """The numbers that the sentence of an alarm needs, as far as they are known."""
    found: dict[str, float] = {}

    def usual(name: str, key: str, *, log: bool) -> None:
        values = [one.statistics[name] for one in days if name in one.statistics]
        if values:
            off = float(np.median(values)) - (centre.get(name, 0.0) if log else 0.0)
            found[key] = float(np.exp(off)) if log else off

    for name, key in (("level", "ratio"), ("noise", "noise"), ("range", "top"), ("error", "error")):
        usual(name, key, log=True)
    for name, key in (("missing", "missing"), ("bias", "bias"), ("coverage", "outside")):
        usual(name, key, log=False)
    usual("clock", "late", log=False)
    if naive := [one.statistics["naive"] for one in days if "naive" in one.statistics]:
        found["naive"] = float(np.exp(np.median(naive)))
    runs = [one.day.run for one in days if one.day is not None]
    return found | ({"run": max(runs)} if runs else {})


def _stuck(day: Day) -> bool:
    """One value all day."""
    known = day.profile[np.isfinite(day.profile)]
    return len(known) > 3 and float(np.ptp(known)) == 0 and bool((known != 0).any())


def _rougher(days: Sequence[Changed], centre: Mapping[str, float]) -> bool:
    """Whether readings scatter so much that what else is odd may come of it."""
    rough = [one.statistics["noise"] for one in days if "noise" in one.statistics]
    return bool(rough) and float(np.median(rough)) - centre.get("noise", 0.0) > np.log(SCATTER)


def _factor(days: Sequence[Changed], centre: Mapping[str, float]) -> str | None:
    """What a ratio to the usual level tells, judged by whole days: the first may be a part."""
    levels = [one.statistics["level"] for one in days if "level" in one.statistics]
    if not levels:
        return None
    logs = np.asarray(levels[1:] or levels) - centre.get("level", 0.0)
    log, error = float(np.median(logs)), float(np.std(logs)) / len(logs) ** 0.5
    if abs(log) < 0.05:
        return None
    for factor in FACTORS:
        wide = 0.5 if factor >= 100 else min(FACTOR_TOLERANCE, FACTOR_TOLERANCE / 2 + error)
        if abs(abs(log) - np.log(factor)) < wide:
            return "unit change"
    if log < np.log(0.05):
        return "near zero"
    if abs(abs(log) - np.log(2)) < 2 * FACTOR_TOLERANCE:
        return "doubled"
    return "level shift" if abs(log) > 0.1 else None
