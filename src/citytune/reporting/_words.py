"""Put what was found into plain words that need no knowledge of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from citytune._text import duration, name_options
from citytune.frame import Clock

if TYPE_CHECKING:
    from citytune.backbones import Card
    from citytune.forecasting import TunedModel

STRATEGIES = {
    "zero-shot": "The pretrained model is used as it is; nothing was fitted to this city.",
    "head": (
        "The pretrained model is frozen; a new last layer was fitted in closed form, by ridge "
        "regression. {mixed}"
    ),
    "head-sgd": (
        "The pretrained model is frozen; a new last layer was fitted, by gradient steps. {mixed}"
    ),
    "blend": (
        "The pretrained model is frozen and shown the series in several ways. Its forecasts and a "
        "few seasonal rules are combined, and the combination departs from the pretrained forecast "
        "only where this helps day after day."
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
"""What gradient steps change, apart from the output layer."""
BY_STEPS = (
    "A copy of the pretrained model was fine-tuned by gradient steps ({what} and the output "
    "layer), "
    "only as far as this helped in cross-validation. {mixed}"
)
MIXED = (
    "The result is combined with other forecasts, and the combination departs from the pretrained "
    "forecast only where this helps day after day."
)
ANCHORED = {
    "zero-shot": "Nothing was fitted: the forecast is the seasonal rule that was best so far.",
    "head": (
        "A seasonal rule is corrected by a new last layer on {source}, fitted in closed form by "
        "ridge regression. {mixed}"
    ),
    "head-sgd": (
        "A seasonal rule is corrected by a new last layer on {source}, fitted by gradient steps. "
        "{mixed}"
    ),
    "blend": (
        "A few seasonal rules are combined with a correction learnt from {source}. The combination "
        "departs from the best rule only where this helps day after day."
    ),
}
"""The same for a backbone that cannot forecast by itself."""
ROLES = {
    "only": "The only sensor measured in the test period",
    "best": "Smallest error relative to its level",
    "median": "Median sensor",
    "worst": "Largest error relative to its level",
    "busiest": "Highest values",
    "fallback": "Too little history to learn from",
}
_BUSIEST = {
    "traffic": "Busiest sensor",
    "air": "Highest readings",
    "energy": "Largest load",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def for_page(text: str, fields: Mapping[str, str] | None = None) -> str:
    """A message as the page shows it: options by name, and no marks of a terminal.

    Args:
        text: The message.
        fields: Option → what a page calls it on which it can be set.

    >>> for_page("use time= if this is wrong; see `citytune check`")
    'use the option “time” if this is wrong; see citytune check'
    """

    def named(name: str, value: bool) -> str:
        return (fields or {}).get(name, f"the option “{name}”") + " " * value

    return name_options(text, named).replace("`", "")


def role(found: Sequence[str], domain: str) -> str:
    """Why a sensor is shown.

    >>> role(["worst", "busiest"], "traffic")
    'Largest error relative to its level, and busiest sensor'
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
    """Why there is no zero-shot forecast to compare with."""
    if card.parameters:
        return f"{card.name} was not made to forecast and cannot do so without fine-tuning."
    return f"Nothing in {card.name} is pretrained, so it cannot forecast without fitting."


def anchor(card: Card) -> str:
    """What replaces the zero-shot forecast where there is none."""
    return (
        f"{unable(card)} It is replaced here by the seasonal rule that tuning started from: the "
        "one that was best before the test period."
    )
