"""What an alarm says: what is wrong, since when, by what evidence, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from citytune._text import number, percent


class Kind(NamedTuple):
    """A kind of alarm, in words."""

    sentence: str
    advice: str


CHECK = "Look at the sensor"
KINDS = {
    "silent": Kind("has sent nothing", f"{CHECK} and its line."),
    "missing": Kind("sends {missing} of its readings less than usual", f"{CHECK} and its line."),
    "frozen": Kind("repeats one value, up to {run} steps in a row", f"{CHECK}: it seems stuck."),
    "near zero": Kind("measures next to nothing, {ratio} times the usual", f"{CHECK}."),
    "unit change": Kind(
        "measures {ratio} times the usual, as after a change of unit",
        "Ask whoever exports the data; convert what came since.",
    ),
    "doubled": Kind(
        "measures {ratio} times the usual, as if counted twice or by half",
        "Look for doubled or lost lanes, meters or rows.",
    ),
    "level shift": Kind(
        "measures {ratio} times the usual",
        "If the city has changed (a closed road, a new tenant), tune anew in some weeks; otherwise "
        "look at the sensor.",
    ),
    "noise": Kind("jumps {noise} times as much as usual", f"{CHECK}: its readings scatter."),
    "range": Kind("peaks at {top} times the usual", "See whether the peaks are real."),
    "clock shifted": Kind(
        "is {late} against its usual day",
        "Look at the clock of the sensor and at the time zone of the export.",
    ),
    "error": Kind(
        "is forecast with {error} times the error of the test period", "Tune the model anew."
    ),
    "worse than naive": Kind(
        "is forecast with {naive} times the error of the naive forecast", "Tune the model anew."
    ),
    "bias": Kind("comes {side} than forecast, by {bias} of the interval", "Tune the model anew."),
    "coverage": Kind(
        "lies outside of the 90 % interval {outside} of the time", "Tune the model anew."
    ),
    "stale": Kind("has had no reading from any sensor", "See whether the source is still filled."),
}
"""Kind → its words."""
GROWS = {
    "missing": "missing", "level shift": "ratio", "noise": "noise", "range": "top",
    "clock shifted": "late", "error": "error", "worse than naive": "naive", "bias": "bias",
    "coverage": "outside",
}  # fmt: skip
"""Kind → the number of its evidence that says how bad it is."""
FIT = ("bias", "coverage", "error", "worse than naive")
"""Kinds of which the remedy is another model; broken sensors are none."""
SHARE_THAT_ALARMS = 0.05
"""Of the sensors, whose forecasts alarm, from which the model is doubted; one of few is enough."""
SENTENCE, BOTH, ALL = "{who} {what} since {since}{rare}", "{sentence}. {advice}", "the source"
RARE = "; by chance, that happens once in {span}"
LONGEST, YEARS, DAYS = "over a thousand years", "{years} years", "{days} days"
SIDES, LATE = ("lower", "higher"), ("{hours} hours early", "{hours} hours late")
PHRASES = (
    *(one for kind in KINDS.values() for one in kind), SENTENCE, BOTH, ALL, RARE, LONGEST, YEARS,
    DAYS, *SIDES, *LATE,
)  # fmt: skip
"""All that alarms are made of, for catalogues."""


@dataclass(frozen=True)
class Alarm:
    """Something is wrong with a sensor, its readings or its forecasts."""

    kind: str
    """One of `KINDS`."""
    sensor: str
    """Empty for the whole source."""
    since: str
    """Date from which it is so, as estimated."""
    raised: str
    """Date after which it was noticed."""
    ended: str | None = None
    """Date after which it was over; None while it lasts."""
    end: str = ""
    """Why it ended: `ordinary again` or `taken as the new normal`."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the days since then; `evidence` itself is the mean number of ordinary days until
    as much is seen by chance, and is not there if nothing was waited for."""

    @property
    def sentence(self) -> str:
        """The evidence in plain words."""
        return self._sentence(str)

    @property
    def severity(self) -> float | None:
        """How bad it is, on a scale on which twice as much is clearly worse; None: no more or less.

        >>> Alarm("level shift", "a", "2024-05-01", "2024-05-02", evidence={"ratio": 0.25}).severity
        4.0
        """
        found = self.evidence.get(GROWS.get(self.kind, ""))
        if not found:
            return None
        size = abs(found)
        return 1 / size if GROWS[self.kind] == "ratio" and size < 1 else size

    @property
    def advice(self) -> str:
        """What to do."""
        return KINDS[self.kind].advice

    def in_words(self, say: Callable[[str], str] = str) -> str:
        """The evidence and what to do, in another language where `say` knows the `PHRASES`."""
        both = say(BOTH)
        return both.format(sentence=self._sentence(say), advice=say(self.advice))

    def _sentence(self, say: Callable[[str], str]) -> str:
        chance = self.evidence.get("evidence")
        rare = say(RARE).format(span=_span(chance, say)) if chance else ""
        return say(SENTENCE).format(
            who=repr(self.sensor) if self.sensor else say(ALL),
            what=say(KINDS[self.kind].sentence).format(**self._words(say)),
            since=self.since,
            rare=rare,
        )

    def _words(self, say: Callable[[str], str]) -> dict[str, str]:
        found = {name: number(value, 2) for name, value in self.evidence.items()}
        shares = {name: self.evidence.get(name) for name in ("missing", "outside")}
        bias, late = self.evidence.get("bias", 0.0), self.evidence.get("late", 0.0)
        return found | {
            "missing": percent(shares["missing"]),
            "outside": percent(shares["outside"]),
            "side": say(SIDES[bias > 0]),
            "bias": percent(abs(bias)),
            "late": say(LATE[late > 0]).format(hours=number(abs(late), 2)),
        }


def date_text(day: int) -> str:
    """The date of a day counted from 1970.

    >>> date_text(19723)
    '2024-01-01'
    """
    return str(dt.date(1970, 1, 1) + dt.timedelta(days=day))


def number_of(date: str) -> int:
    """The other way round.

    >>> number_of("2024-01-01")
    19723
    """
    return (dt.date.fromisoformat(date) - dt.date(1970, 1, 1)).days


def _span(days: float, say: Callable[[str], str]) -> str:
    if days >= 365e3:
        return say(LONGEST)
    if days >= 730:
        return say(YEARS).format(years=number(days / 365, 2))
    return say(DAYS).format(days=round(days))
