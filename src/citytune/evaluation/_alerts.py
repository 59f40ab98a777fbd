"""Measure alerts: how many were right, how early they came, how good their probabilities are.

The threshold-weighted score is that of Gneiting and Ranjan (2011, doi:10.1198/jbes.2010.08110) with
all weight beyond the threshold: the CRPS of what lies beyond it, here from the quantiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._text import plain
from citytune.evaluation._arrays import Floats
from citytune.evaluation._detail import Detail
from citytune.forecasting import LEVELS, chance_above, chance_below
from citytune.settings import Alert

Flags = NDArray[np.bool_]
PSEUDO = 7.0
"""Values by which an hour's share of events is drawn to that of all hours: a week's."""


@dataclass(frozen=True, eq=False)
class AlertScore:
    """How good the warnings of an alert were in the test period."""

    alert: Alert
    name: str
    """In words: "pm2.5 > 150 µg/m³"."""
    thresholds: dict[str, float]
    """Sensor → where its alert begins, in the unit of the data; NaN if that cannot be told."""
    values: int
    """Values measured and forecast, each as often as it was forecast."""
    events: int
    """Those beyond the threshold."""
    events_before: int
    """Values beyond it in the history before the test period."""
    episodes: int
    """Times a sensor passed its threshold; consecutive values beyond it are one episode."""
    furthest: float
    """The most extreme value scored, in the unit of the data."""
    brier: float
    """Mean squared error of the tuned model's probability of passing; 0 is perfect."""
    brier_skill: float
    """Share of the squared error of `climatology` that the tuned model's probability saves."""
    models: dict[str, dict[str, float]]
    """Model → precision, recall, f1 (0 … 1), raised, caught (counts), lead_hours, and twcrps (in
    the unit of the data); NaN where it cannot be told."""

    @property
    def base_rate(self) -> float:
        """Share of the values scored that are beyond the threshold."""
        return self.events / self.values if self.values else math.nan

    def summary(self) -> dict[str, Any]:
        """As in scores.json: plain numbers, None for NaN."""
        own = self.alert.threshold is None
        return {
            "alert": self.name,
            "above": self.alert.above,
            "threshold": self.alert.threshold,
            "thresholds": {n: plain(v) for n, v in self.thresholds.items()} if own else None,
            "level": self.alert.level,
            "values": self.values,
            "events": self.events,
            "base_rate": plain(self.base_rate),
            "episodes": self.episodes,
            "brier": plain(self.brier),
            "brier_skill": plain(self.brier_skill),
            "models": {
                name: {metric: plain(value) for metric, value in found.items()}
                for name, found in self.models.items()
            },
        }


class Episodes(NamedTuple):
    """Stretches of values beyond a threshold, as far as a forecast from before could warn."""

    number: NDArray[np.int64]  # (origin, horizon, sensor); 0 where there is none
    lead: NDArray[np.int64]  # the same shape: steps ahead at which its first value lay


def score_alert(alert: Alert, detail: Detail) -> AlertScore:
    """Compare what the tuned model and its rivals would have warned of with what came.

    The tuned model warns where its probability of passing is at least `alert.level`; the others,
    of which only the middle of the forecast is kept, where that passes the threshold.
    """
    limits = alert.thresholds(detail.history)
    actual = np.where(np.isfinite(limits), detail.fair, np.float32(np.nan))
    known = np.isfinite(actual)
    event = _passes(actual, limits, alert)
    chance = _chances(alert, limits, detail)
    episodes = find_episodes(alert, limits, detail, known)
    warned = {n: _passes(mean, limits, alert) & known for n, mean in detail.points.items()}
    warned["tuned"] = (chance >= alert.level) & known
    brier = _squares(chance, event, known)
    usual = _squares(climatology(alert, limits, detail), event, known)
    middles = {n: mean[..., None] for n, mean in detail.points.items()}
    spreads = middles | {"tuned": detail.quantiles}
    hours = detail.frame.clock.step.total_seconds() / 3600
    return AlertScore(
        alert=alert,
        name=alert.words(detail.frame.quantity),
        thresholds=dict(zip(detail.frame.sensors, limits.tolist(), strict=True)),
        values=int(known.sum()),
        events=int(event.sum()),
        events_before=int(_passes(detail.history, limits, alert).sum()),
        episodes=len(np.unique(episodes.number[episodes.number > 0])),
        furthest=_furthest(actual[known], alert),
        brier=brier,
        brier_skill=1 - brier / usual if usual > 0 else math.nan,
        models={
            name: _told(up, event)
            | _caught(up, episodes, hours)
            | {"twcrps": twcrps(actual, spreads[name], limits, above=alert.above)}
            for name, up in warned.items()
        },
    )


def find_episodes(alert: Alert, limits: Floats, detail: Detail, known: Flags) -> Episodes:
    """Number the episodes; one under way when a forecast was made is none for that forecast.

    A gap in the measurements does not end an episode.
    """
    horizon = detail.actual.shape[1]
    first = max(0, int(detail.origin_index[0]) - detail.frame.clock.steps_per_day)
    values = detail.frame.values[first : int(detail.origin_index[-1]) + horizon]
    beyond = _passes(values, limits, alert)
    number, onsets = np.zeros(values.shape, np.int64), [np.zeros(1, np.int64)]
    count = 0
    for sensor in range(values.shape[1]):
        rows = np.flatnonzero(np.isfinite(values[:, sensor]))
        state = beyond[rows, sensor]
        begins = np.zeros_like(state)
        begins[1:] = state[1:] & ~state[:-1]
        found = begins.cumsum()
        number[rows, sensor] = np.where(state & (found > 0), count + found, 0)
        onsets.append(rows[begins] + first)
        count += int(begins.sum())
    when = detail.origin_index[:, None] + np.arange(horizon)
    cube = np.where(known, number[when - first], 0)
    lead = np.concatenate(onsets)[cube] - detail.origin_index[:, None, None] + 1
    return Episodes(np.where(lead >= 1, cube, 0), lead)


def twcrps(actual: Floats, quantiles: Floats, limits: Floats, *, above: bool = True) -> float:
    """Threshold-weighted CRPS, in the unit of the data; smaller is better.

    What lies on the ordinary side of the threshold is moved onto it, in forecast and truth alike;
    then twice the quantile loss, each level weighted by the stretch of levels it stands for.

    Args:
        actual: (…, sensor); NaN is missing.
        quantiles: (…, sensor, level) at the levels of a forecast, or with one level for a forecast
            without a spread, whose CRPS is its absolute error.
        limits: (sensor,).
        above: Whether large values matter.
    """
    levels = np.array(LEVELS) if quantiles.shape[-1] > 1 else np.array([0.5])
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    beyond = np.maximum if above else np.minimum
    truth = beyond(actual, limits)
    total = np.zeros(actual.shape)
    for i, (level, weight) in enumerate(zip(levels, np.diff(edges), strict=True)):
        error = truth - beyond(quantiles[..., i], limits)
        total += 2 * weight * np.maximum(level * error, (level - 1) * error)
    known = np.isfinite(total)
    return float(total[known].mean()) if known.any() else math.nan


def _passes(values: Floats, limits: Floats, alert: Alert) -> Flags:
    """Where values are beyond the threshold; False where either is unknown."""
    found: Flags = values > limits if alert.above else values < limits
    return found


def _chances(alert: Alert, limits: Floats, detail: Detail) -> Floats:
    quantity = detail.frame.quantity
    chance = chance_above if alert.above else chance_below
    return chance(detail.quantiles, limits, low=quantity.low, high=quantity.high)


def climatology(alert: Alert, limits: Floats, detail: Detail) -> Floats:
    """How often a sensor passed its threshold in the history, at such an hour of such a day.

    The probability anyone can give without a forecast: by hour, workdays apart from weekends and
    holidays, and drawn to the sensor's share at all hours as if by `PSEUDO` more values.

    Returns:
        (origin, horizon, sensor), 0 … 1; NaN for a sensor without a history.
    """
    frame, horizon = detail.frame, detail.actual.shape[1]
    when = detail.origin_index[:, None] + np.arange(horizon)
    calendar = frame.calendar(0, int(when.max()) + 1)
    hour = calendar.slot.astype(np.int64) * 24 // frame.clock.steps_per_day
    group = hour + 24 * ((calendar.weekday >= 5) | calendar.holiday)
    known = np.isfinite(detail.history)
    passed = _passes(detail.history, limits, alert)
    count = known.sum(0)
    share = np.where(count > 0, passed.sum(0) / np.maximum(count, 1), np.nan)
    usual = np.empty((48, len(share)))
    for one in range(48):
        rows = group[: len(known)] == one
        usual[one] = (passed[rows].sum(0) + PSEUDO * share) / (known[rows].sum(0) + PSEUDO)
    found: Floats = usual[group[when]].astype(np.float32)
    return found


def _squares(chance: Floats, event: Flags, known: Flags) -> float:
    """Mean squared error of a probability, the Brier score, where it and the event are known."""
    error = np.square(chance.astype(np.float64) - event)[known & np.isfinite(chance)]
    return float(error.mean()) if len(error) else math.nan


def _told(up: Flags, event: Flags) -> dict[str, float]:
    raised, events, right = int(up.sum()), int(event.sum()), int((up & event).sum())
    return {
        "precision": _share(right, raised),
        "recall": _share(right, events),
        "f1": _share(2 * right, raised + events),
        "raised": float(raised),
    }


def _caught(up: Flags, episodes: Episodes, hours: float) -> dict[str, float]:
    """How many episodes a forecast made before them warned of, and how long before, at first."""
    hit = up & (episodes.number > 0)
    earliest = np.zeros(int(episodes.number.max(initial=0)) + 1, np.int64)
    np.maximum.at(earliest, episodes.number[hit], episodes.lead[hit])
    leads = earliest[earliest > 0]
    return {
        "caught": float(len(leads)),
        "lead_hours": float(leads.mean()) * hours if len(leads) else math.nan,
    }


def _furthest(values: Floats, alert: Alert) -> float:
    if not len(values):
        return math.nan
    return float(values.max() if alert.above else values.min())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
