"""The same statistics of many sensors at once: of days without gaps, compared with such days.

Of these each number is that of `of_readings`, by the same arithmetic; all others are left to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from citytune.watching._day import Day, Floats
from citytune.watching._sensor import KEPT, SensorState
from citytune.watching._statistics import LIKE_DAYS, TINY

Found: TypeAlias = dict[str, dict[int, dict[str, float]]]
"""Sensor → date → statistic → value."""
FEWEST_SLOTS = 12
"""Parts of a day from which its shape is looked at."""


def statistics_together(
    sensors: Mapping[str, SensorState], measured: Mapping[str, Sequence[Day]]
) -> Found:
    """Of new days, as long as every one of them is ordinary: an alarm is compared otherwise.

    Args:
        sensors: As they are before those days.
        measured: Sensor → its days, the oldest first; those that were taken in are passed over.
    """
    alike: dict[object, list[str]] = {}
    days: dict[str, list[Day]] = {}
    for name, one in sensors.items():
        if one.alarm is None:
            new = [day for day in measured.get(name, ()) if one.last is None or day.date > one.last]
            days[name] = [*one.days, *new]
            dates = tuple((day.date, day.kind, day.special) for day in days[name])
            alike.setdefault((dates, len(new), one.signed), []).append(name)
    found: Found = {}
    for names in alike.values():
        first = sensors[names[0]]
        group = _Group.of([days[name] for name in names], len(first.days), signed=first.signed)
        if group is not None:
            found |= zip(names, group.statistics(), strict=True)
    return found


@dataclass(frozen=True, eq=False)
class _Group:
    """Sensors that have the same days."""

    days: Sequence[Day]
    """Of any of them."""
    known: int
    """How many of them were taken in before."""
    signed: bool
    profile: Floats
    """(sensor, day, slot)."""
    missing: Floats
    """(sensor, day), as are the others."""
    run: Floats
    whole: NDArray[np.bool_]
    top: Floats
    rough: Floats

    @classmethod
    def of(cls, sensors: Sequence[Sequence[Day]], known: int, *, signed: bool) -> _Group | None:
        """None if there is no new day, or the parts of a day have changed."""
        days = sensors[0]
        sizes = {len(day.profile) for one in sensors for day in one}
        if len(days) == known or len(sizes) != 1:
            return None
        profile = np.array([[day.profile for day in one] for one in sensors])
        bend = np.abs(profile[..., 1:-1] - (profile[..., :-2] + profile[..., 2:]) / 2)
        size = np.abs(profile)
        whole = np.isfinite(profile).all(-1)
        off = bend.sum(-1) / max(bend.shape[-1], 1)
        level = size.sum(-1) / size.shape[-1]
        return cls(
            days=days,
            known=known,
            signed=signed,
            profile=profile,
            missing=np.array([[day.missing for day in one] for one in sensors]),
            run=np.array([[day.run for day in one] for one in sensors]),
            whole=whole,
            top=size.max(-1),
            rough=_log(np.where(whole, (off + 1e-4 * level + 1e-12) / (level + 1e-12), 1.0)),
        )

    def statistics(self) -> list[dict[int, dict[str, float]]]:
        """Of each sensor, the days that can be told together."""
        found: list[dict[int, dict[str, float]]] = [{} for _ in self.profile]
        for day in range(self.known, len(self.days)):
            for which, before in self._comparable(day):
                for sensor, one in zip(which, self._of(day, which, before), strict=True):
                    found[sensor][self.days[day].date] = one
        return found

    def _comparable(self, day: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Sensors, and the days (sensor, any) that each is compared with, as many of all."""
        kind = self.days[day].kind
        earlier = range(max(0, day - KEPT), day)
        same = [i for i in earlier if self.days[i].kind == kind and not self.days[i].special]
        there = self.missing[:, same] < 0.5
        latest = there & (there[:, ::-1].cumsum(1)[:, ::-1] <= LIKE_DAYS)
        whole = self.whole[:, day] & (self.missing[:, day] <= 0.75)
        whole &= (self.whole[:, same] | ~latest).all(1)
        count = latest.sum(1)
        for many in range(2, LIKE_DAYS + 1):
            which = np.flatnonzero(whole & (count == many))
            if len(which):
                at = np.nonzero(latest[which])[1].reshape(-1, many)
                yield which, np.array(same)[at]

    def _of(
        self, day: int, which: NDArray[np.intp], before: NDArray[np.intp]
    ) -> list[dict[str, float]]:
        """See `of_readings`."""
        own = which[:, None]
        found = {
            "missing": self.missing[which, day] - _middle(self.missing[own, before]),
            "frozen": _log1p(self.run[which, day]) - _log1p(_middle(self.run[own, before])),
        }
        if not self.days[day].special:
            now, usual = self.profile[which, day], _middle(self.profile[own, before])
            top, peak = self.top[which, day], _middle(self.top[own, before])
            found["level"] = _level(now, usual, signed=self.signed)
            found["range"] = _log(top + TINY * peak + 1e-9) - _log(peak * (1 + TINY) + 1e-9)
            if now.shape[-1] >= FEWEST_SLOTS:
                found["noise"] = self.rough[which, day] - _middle(self.rough[own, before])
                found["clock"] = _shift(now, usual)
        rows = zip(*(part.tolist() for part in found.values()), strict=True)
        return [
            {name: one for name, one in zip(found, row, strict=True) if math.isfinite(one)}
            for row in rows
        ]


def _middle(values: Floats) -> Floats:
    """The median over the second axis."""
    ordered, half = np.sort(values, axis=1), values.shape[1] // 2
    found: Floats = (ordered[:, half] + ordered[:, -1 - half]) / 2
    return found


def _level(now: Floats, usual: Floats, *, signed: bool) -> Floats:
    if signed:
        spread = np.abs(usual - _mean(usual)[:, None])
        return (_mean(now) - _mean(usual)) / np.maximum(_mean(spread), 1e-9)
    least = TINY * _mean(np.abs(usual)) + 1e-9
    return _log(np.maximum(_mean(now), 0) + least) - _log(np.maximum(_mean(usual), 0) + least)


def _shift(now: Floats, usual: Floats) -> Floats:
    """NaN where the usual day has no shape."""
    slope = (usual[:, 2:] - usual[:, :-2]) / 2
    power, scale, level = (slope * slope).sum(-1), _mean(usual), _mean(now)
    shaped = (power > 0) & (scale > 0) & (level > 0)
    with np.errstate(all="ignore"):
        off = now[:, 1:-1] / level[:, None] * scale[:, None] - usual[:, 1:-1]
        late = -(off * slope).sum(-1) / power * 24 / usual.shape[1]
    return np.where(shaped, np.clip(late, -3.0, 3.0), np.nan)


def _mean(values: Floats) -> Floats:
    found: Floats = values.sum(-1) / values.shape[-1]
    return found


def _log(values: Floats) -> Floats:
    """By the function that one sensor alone is told with: numpy's differs in the last digit."""
    return np.array([math.log(one) for one in values.ravel().tolist()]).reshape(values.shape)


def _log1p(values: Floats) -> Floats:
    return np.array([math.log1p(one) for one in values.tolist()])
