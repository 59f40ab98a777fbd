"""What is known of one sensor, moved on by one day at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from citytune.watching._alarm import Alarm, date_text, number_of
from citytune.watching._classify import Changed, classify, evidence_of
from citytune.watching._day import Day
from citytune.watching._detector import Detector
from citytune.watching._fitting import fits_of
from citytune.watching._settings import WatchSettings
from citytune.watching._statistics import ALL, FORECASTS, READINGS, is_stuck, of_readings
from citytune.watching._tail import FEWEST, Ordinary
from citytune.watching._verification import VerifiedDay

KEPT = 42
"""Days that are remembered to compare with."""
ORDINARY = 0.05
"""Chance of an ordinary day at most as unusual, above which a day ends an alarm."""
RENAMED = 5
"""Days in which the kind of an alarm may still change."""
BELOW = 0.01
"""Share of values below zero from which they are no mistakes."""
STRICTEST = 10.0
"""Most that ordinary days may ask for: a real fault among them must not blind the tests."""
AGAIN, MOST_STRICT = 10.0, 1000.0
"""What an alarm multiplies the evidence by that raises the next one, and the most of it.

It fades at the rate of the dial, so that in the long run alarms are about as rare as it says, as in
adaptive conformal inference (Gibbs and Candès 2021)."""
SHADOW = 3
"""Days of the model's own forecasts that end a fallback, or begin one."""
NEW_MAXIMUM = 2.0
"""Times the usual peak up to which a higher one is no reason to distrust the model by itself."""


@dataclass
class SensorState:
    """All that is remembered of a sensor."""

    signed: bool = False
    """Whether it measures values below zero."""
    last: int | None = None
    """The last day taken in, counted from 1970."""
    days: list[Day] = field(default_factory=list)
    """Ordinary days, the oldest first."""
    learning: dict[str, list[float]] = field(default_factory=dict)
    """Statistic → values of ordinary days, until there are enough of them."""
    ordinary: dict[str, Ordinary] = field(default_factory=dict)
    detectors: dict[str, Detector] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    """Statistics of the day before."""
    recent: list[Changed] = field(default_factory=list)
    """The last days, or all since the change during an alarm."""
    verified: list[VerifiedDay] = field(default_factory=list)
    """Of the last days, for tables."""
    strict: float = 1.0
    """What its ordinary days and its past alarms multiply the evidence by that raises one."""
    usual: Mapping[str, float] = field(default_factory=dict)
    """Mean error, coverage and the like of the test period."""
    alarm: Alarm | None = None
    leading: str = ""
    """The statistic that raised it."""
    calm: int = 0
    """Ordinary days in a row since."""
    fallback: bool = False
    shadow: list[tuple[float, float]] = field(default_factory=list)
    """Mean error of the model and of the naive forecast, each day since the alarm."""

    def copied(self) -> SensorState:
        """One that may be moved on without changing this one."""
        return replace(
            self,
            learning={name: list(values) for name, values in self.learning.items()},
            ordinary={name: replace(one) for name, one in self.ordinary.items()},
            detectors={name: one.copied() for name, one in self.detectors.items()},
            recent=list(self.recent),
            shadow=list(self.shadow),
        )

    @property
    def evidence(self) -> float:
        """The mean of the detectors: itself an e-detector."""
        found = [one.evidence for one in self.detectors.values()]
        return sum(found) / len(found) if found else 0.0

    def step(
        self,
        date: int,
        day: Day | None,
        verified: VerifiedDay | None,
        settings: WatchSettings,
        told: Mapping[str, float] | None = None,
    ) -> Alarm | None:
        """Take in a day; returns an alarm that has just ended.

        `told` is what `of_readings` says of it, if that is known.
        """
        found = self._statistics(day, verified, told)
        self.last = date
        if verified is not None:
            self.verified = [*self.verified, verified][-KEPT:]
        self.recent.append(Changed(day, found))
        ended = None
        if self.alarm is None:
            raised = self._stands_still(day, date) or self._test(found, date, settings)
            self._learn(found, settings)
            if not raised and day is not None:
                self.days = [*self.days, day][-KEPT:]
        else:
            ended = self._during(found, date, verified, settings)
        self.before = found
        if self.alarm is None:
            self.recent = self.recent[-KEPT:]
        return ended

    def join(self, settings: WatchSettings) -> None:
        """Test a sensor that came later, from the day on which enough is known of it."""
        most = max(map(len, self.learning.values()), default=0)
        if self.ordinary or self.alarm or most < max(settings.learn_days, FEWEST):
            return
        if not self.signed and is_signed(np.concatenate([day.profile for day in self.days])):
            self.signed = True
            self.learning = {n: v for n, v in self.learning.items() if n not in READINGS}
            for i, day in enumerate(self.days):
                for name, value in of_readings(day, self.days[:i], signed=True).items():
                    self.learning.setdefault(name, []).append(value)
        start([self], settings)

    def _statistics(
        self, day: Day | None, verified: VerifiedDay | None, told: Mapping[str, float] | None
    ) -> dict[str, float]:
        found = dict(told or {})
        if day is not None and told is None:
            found = of_readings(day, self.days, signed=self.signed)
        special = day is not None and day.special
        return found | ({} if verified is None or special else verified.statistics)

    def _learn(self, found: Mapping[str, float], settings: WatchSettings) -> None:
        for name, value in found.items():
            if name not in self.ordinary:
                values = self.learning.setdefault(name, [])
                values.append(value)
                if self.ordinary and len(values) >= settings.learn_days:
                    self._fit(name, values)

    def _fit(self, name: str, values: Sequence[float]) -> None:
        how = ALL[name]
        self.ordinary[name] = Ordinary.of(
            values, both_sides=how.both_sides, resolution=how.resolution
        )
        self.detectors[name] = Detector()
        self.learning.pop(name, None)

    def _test(self, found: Mapping[str, float], date: int, settings: WatchSettings) -> bool:
        """Add to the evidence; returns whether it raised an alarm."""
        for name, value in found.items():
            if name in self.ordinary:
                p = self.ordinary[name].p_fresh(value, self.before.get(name))
                self.detectors[name].add(p, date)
                self.ordinary[name].track(value)
        self.strict = max(1.0, self.strict * AGAIN ** (-settings.false_alarms / 365))
        if self.evidence < settings.threshold * self.strict:
            return False
        self._raise(date)
        return True

    def _stands_still(self, day: Day | None, date: int) -> bool:
        """Raise an alarm for one value that does not end, before the evidence is large."""
        if day is None or "frozen" not in self.ordinary or not is_stuck(day, self.days):
            return False
        self._raise(date, "frozen", date - math.ceil(day.still) + 1)
        return True

    def _raise(self, date: int, leading: str | None = None, first: int | None = None) -> None:
        numbers = {}  # evidence that was not waited for says nothing of how rare it is
        if leading is None:
            numbers = {"evidence": self.evidence}
            leading = max(self.detectors, key=lambda name: self.detectors[name].evidence)
            first = self.detectors[leading].since
        self.leading, since = leading, date if first is None else first
        self.recent = self.recent[-(date - since + 1) :]
        self.days = [one for one in self.days if one.date < since]
        self.calm, self.shadow = 0, []
        self.strict = min(self.strict * AGAIN, MOST_STRICT)
        self.alarm = self._described(Alarm("error", "", date_text(since), date_text(date)), numbers)
        self.fallback = _is_grave(self.alarm)

    def _described(self, alarm: Alarm, numbers: Mapping[str, float]) -> Alarm:
        centre = {name: one.centre for name, one in self.ordinary.items()}
        kind = classify(self.leading, self.recent, centre)
        return replace(alarm, kind=kind, evidence=dict(numbers) | evidence_of(self.recent, centre))

    def _during(
        self,
        found: Mapping[str, float],
        date: int,
        verified: VerifiedDay | None,
        settings: WatchSettings,
    ) -> Alarm | None:
        assert self.alarm is not None
        if date - number_of(self.alarm.raised) < RENAMED:
            same = {k: v for k, v in self.alarm.evidence.items() if k == "evidence"}
            self.alarm = self._described(self.alarm, same)
            if len(self.shadow) < SHADOW:
                self.fallback = self.fallback or _is_grave(self.alarm)
        self._judge_fallback(verified)
        self.calm = self.calm + 1 if self._is_ordinary(found) else 0
        if self.calm >= settings.recovery_days:
            back = [one.day for one in self.recent[-self.calm :] if one.day is not None]
            return self._end(date, "ordinary again", [*self.days, *back])
        self.recent = self.recent[-settings.adopt_days :]
        if len(self.recent) == settings.adopt_days and self.alarm.kind != "silent":
            self._adopt()
            return self._end(
                date, "taken as the new normal", [c.day for c in self.recent if c.day is not None]
            )
        return None

    def _judge_fallback(self, verified: VerifiedDay | None) -> None:
        if verified is None:
            return
        self.shadow.append((verified.mae, verified.naive))
        last = np.array(self.shadow[-SHADOW:])
        if len(last) == SHADOW:
            self.fallback = bool(last[:, 0].sum() > last[:, 1].sum())

    def _is_ordinary(self, found: Mapping[str, float]) -> bool:
        """Whether the day is as before the change, in what raised the alarm and its like."""
        like = READINGS if self.leading in READINGS else FORECASTS
        tested = [name for name in found if name in self.ordinary and name in like]
        if not tested or (self.leading not in found and self.leading != "missing"):
            return False
        least = min(self.ordinary[name].p_value(found[name]) for name in tested)
        return least * len(tested) > ORDINARY

    def _adopt(self) -> None:
        """What forecasts are worth now is their new normal."""
        for name in FORECASTS:
            values = [one.statistics[name] for one in self.recent if name in one.statistics]
            if name in self.ordinary and len(values) >= FEWEST // 2:
                self.ordinary[name] = replace(self.ordinary[name], centre=float(np.median(values)))

    def _end(self, date: int, why: str, days: Sequence[Day]) -> Alarm:
        assert self.alarm is not None
        ended = replace(self.alarm, ended=date_text(date), end=why)
        self.alarm, self.leading, self.calm = None, "", 0
        self.fallback, self.shadow = False, []
        self.days, self.recent = list(days)[-KEPT:], []
        self.detectors = {name: Detector() for name in self.detectors}
        return ended


def is_signed(values: NDArray[np.floating]) -> bool:
    """Whether values below zero belong to what is measured, such as temperatures."""
    known = values[np.isfinite(values)]
    return bool(len(known) and (known < 0).mean() > BELOW)


def _is_grave(alarm: Alarm) -> bool:
    """Whether the model is not to be trusted before its forecasts have been judged."""
    return alarm.kind != "range" or alarm.evidence.get("top", np.inf) >= NEW_MAXIMUM


def start(sensors: Sequence[SensorState], settings: WatchSettings) -> None:
    """Test from now on everything of which enough is known.

    The tests are tried on the ordinary days themselves: what they found there by the habits of
    a sensor, such as its seasons, is no evidence later.
    """
    for one, fitted in zip(sensors, fits_of([one.learning for one in sensors]), strict=True):
        for name, fit in fitted.items():
            one.ordinary[name], one.detectors[name] = fit.ordinary, Detector()
            del one.learning[name]
        if fitted:
            most = max(fit.peak for fit in fitted.values()) / len(fitted) / settings.threshold
            one.strict = min(max(1.0, most), STRICTEST)
        if one.verified:
            one.usual = means(one.verified)


def means(days: Sequence[VerifiedDay]) -> dict[str, float]:
    """Mean error, that of the naive forecast, bias and coverage of some days, by values."""
    weights = [one.values for one in days]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weights))

    return {
        "mae": mean([one.mae for one in days]),
        "naive": mean([one.naive for one in days]),
        "bias": mean([one.bias for one in days]),
        "coverage": 1 - mean([one.outside for one in days]),
    }
