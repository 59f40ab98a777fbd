"""Put what was found into plain words: a chief should not need to know what MASE is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from citytune.evaluation import SAME
from citytune.frame import Clock
from citytune.reporting._numbers import duration, percent

if TYPE_CHECKING:
    from citytune.backbones import Card
    from citytune.forecasting import TunedModel

STRATEGIES = {
    "zero-shot": "The pretrained model is used untouched; nothing was fitted to this city.",
    "head": (
        "The pretrained model is frozen; a new last layer was fitted, exactly, by ridge "
        "regression. {mixed}"
    ),
    "head-sgd": (
        "The pretrained model is frozen; a new last layer was fitted, by gradient steps. {mixed}"
    ),
    "blend": (
        "The pretrained model is frozen and shown the series in several ways; its forecasts and a "
        "few seasonal ones are mixed, and the mix leaves the safe forecasts only on gains that "
        "repeat from day to day."
    ),
}
MOVING = {
    "bias": "the biases",
    "norms": "the normalisation layers",
    "last-blocks": "the last blocks",
    "lora": "low-rank adapters on the linear layers",
    "full": "all weights",
    "gradual": "block after block from the top down",
}
"""What gradient steps move, beside what answers."""
BY_STEPS = (
    "Gradient steps moved {what}, and what answers, of a copy of the pretrained model, only as far "
    "as this helped on days left out in turn. {mixed}"
)
MIXED = (
    "What comes of it is mixed with the other forecasts, and the mix leaves the safe ones only on "
    "gains that repeat from day to day."
)
ANCHORED = {
    "zero-shot": "Nothing was fitted: the forecast is the seasonal rule that did best in the past.",
    "head": (
        "A seasonal rule is corrected by a new last layer on {source}, fitted exactly by ridge "
        "regression. {mixed}"
    ),
    "head-sgd": (
        "A seasonal rule is corrected by a new last layer on {source}, fitted by gradient steps. "
        "{mixed}"
    ),
    "blend": (
        "A few seasonal rules are mixed with a correction learnt from {source}; the mix leaves the "
        "safest rule only on gains that repeat from day to day."
    ),
}
"""The same for a backbone that cannot forecast by itself."""
ROLES = {
    "only": "The only sensor measured on the held-out days",
    "best": "The smallest error for its level",
    "median": "The middle of the field",
    "worst": "The largest error for its level",
    "busiest": "The highest values",
    "fallback": "Too little history to learn from",
}
_BUSIEST = {
    "traffic": "The busiest",
    "air": "The highest readings",
    "energy": "The largest load",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def capital(sentence: str) -> str:
    """The sentence with a capital, the rest as it is.

    >>> capital("last week's PM2.5")
    "Last week's PM2.5"
    """
    return sentence[:1].upper() + sentence[1:]


def compared(change: float, rival: str) -> str:
    r"""One comparison in words; honest whichever way it went.

    Args:
        change: Error over that of the rival, less one: -0.31 is 31 % less.
        rival: What the rival is called in a sentence.

    >>> compared(-0.31, "last week's values"), compared(0.004, "last week's values")
    ("31\xa0% less error than last week's values", "as much error as last week's values")
    """
    than = "as" if tone(change) == "same" else "than"
    return f"{less_or_more(change)} {than} {rival}"


def less_or_more(change: float) -> str:
    r"""How an error compares with another, without saying whose.

    >>> less_or_more(-0.31), less_or_more(0.001), less_or_more(0.07), less_or_more(float("nan"))
    ('31\xa0% less error', 'as much error', '7\xa0% more error', '–')
    """
    match tone(change):
        case "unknown":
            return "–"
        case "same":
            return "as much error"
    return f"{percent(abs(change))} {'less' if change < 0 else 'more'} error"


def tone(change: float) -> str:
    """A mark beside the words: "good", "same" or "bad"; "unknown" without a number."""
    if not math.isfinite(change):
        return "unknown"
    return "same" if abs(change) < SAME else "good" if change < 0 else "bad"


def role(found: Sequence[str], domain: str) -> str:
    """Why a sensor is shown.

    >>> role(["worst", "busiest"], "traffic")
    'The largest error for its level, and the busiest'
    """
    known = ROLES | {"busiest": _BUSIEST.get(domain, ROLES["busiest"])}
    first, *more = (known[one] for one in found)
    return ", and ".join([first, *(one[0].lower() + one[1:] for one in more)])


def band(name: str, clock: Clock) -> str:
    """A band of the horizon in words.

    >>> import datetime as dt
    >>> hourly = Clock(dt.datetime(2024, 1, 1), dt.timedelta(hours=1))
    >>> [band(name, hourly) for name in ("0-6", "6-24", "6-12")]
    ['up to 6 hours ahead', '6 hours to 1 day ahead', '6 to 12 hours ahead']
    """
    first, _, last = name.partition("-")
    if not (first.isdigit() and last.isdigit()):
        return name
    start, end = duration(int(first) * clock.step), duration(int(last) * clock.step)
    if first == "0":
        return f"up to {end} ahead"
    if start.split()[1].rstrip("s") == end.split()[1].rstrip("s"):
        start = start.split()[0]
    return f"{start} to {end} ahead"


def held(coverage: float) -> str:
    """Whether 90 % intervals held as often as they should: "good", "same" (too wide) or "bad"."""
    if not math.isfinite(coverage):
        return "unknown"
    return "bad" if coverage < 0.86 else "same" if coverage > 0.94 else "good"


def calibrated(coverage: float) -> str:
    """How well the 90 % intervals held, and what to make of it."""
    said = f"The 90\N{NO-BREAK SPACE}% intervals held {percent(coverage)} of what was measured"
    match held(coverage):
        case "good":
            return f"{said}, about as often as they should."
        case "bad":
            return f"{said}: they are too narrow, so leave more room than they say."
    return f"{said}: they are wider than they need be."


def strategy(model: TunedModel) -> str:
    """What was done to the pretrained model; nothing for a strategy not known here."""
    card, name = model.card, model.strategy
    mixed = MIXED if any(len(shares) > 1 for shares in model.weights.values()) else ""
    source = (
        "the frozen pretrained network" if card.parameters else "recent values and the calendar"
    )
    texts = STRATEGIES if card.horizon is not None else ANCHORED
    text = BY_STEPS if name in MOVING else texts.get(name, "")
    return text.format(source=source, mixed=mixed, what=MOVING.get(name, "")).strip()


def unable(card: Card) -> str:
    """Why there is no untouched forecast to compare with."""
    if card.parameters:
        return f"{card.name} was not made to forecast, and cannot do so untouched."
    return f"Nothing in {card.name} was pretrained, so there is no untouched forecast."


def anchor(card: Card) -> str:
    """What stands in the place of an untouched forecast, where there is none."""
    return (
        f"{unable(card)} In its place stands the seasonal rule from which tuning started: the one "
        "that did best before the held-out days."
    )
