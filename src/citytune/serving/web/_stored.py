"""What the database and the library say in English, in the language of a page."""

from __future__ import annotations

import re
from collections.abc import Callable

from citytune.watching import KINDS

RULES = ("yesterday", "last week", "last good day", "last good week", "last day measured")
"""What a fallback is made of."""
BY_RULE, SINCE = "fallback: {rule}", "{kind} since {date}"
STAGES = ("Reading", "Choosing a model", "Scoring", "Fitting on everything", "Fitting",
          "Comparing with a refit", "Learning from what is new", "Forecasting",
          "Writing the report")  # fmt: skip
"""What a job says that it is doing."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ROLES = ("parameter", "validity", "place", "unit")
"""Of columns, besides those that can be chosen."""
WHYS = (
    "moments", "ranges of time", "times of the day", "ranges of the day", "numbers that count time",
    "the end of each interval", "with the time it tells the rows apart",
    "no numbers in the rows looked at", "numbers that change", "with a decimal comma",
    "as asked for", "coordinates of the sensors", "says what is measured",
    "says which readings are valid", "of the readings", "empty", "counts the rows", "another time",
    "one value in every row", "text", "yes or no", "neither numbers nor text",
    "by its name weather, calendar or a side value", "numbers, but another column is read",
)  # fmt: skip
"""Why a column is taken for what it is."""
UNIT = "in {unit}"
QUANTITIES = (
    "value", "traffic volume", "speed", "travel time", "parking", "pedestrians", "passengers",
    "bikes", "occupancy", "count", "concentration", "energy", "load", "power", "generation", "heat",
)  # fmt: skip
"""What is measured, as far as citytune itself names it."""
BEGUN = "begun, attempt {number}"
HOURS = "the {hours} hours from {start}"
TOP, BOTTOM = "top {share} % of {name}", "bottom {share} % of {name}"
"""Of a day that begins at another hour than midnight, and of alerts."""
SIMPLE = {
    "naive-day": "yesterday's values",
    "naive-week": "last week's values",
    "naive-weeks4": "the mean of the last four weeks",
}
"""Simple rule → its words in reports, whose own module is too much to load for a page."""
STORED = (
    *WEEKDAYS, *ROLES, *WHYS, UNIT, *QUANTITIES, BEGUN, HOURS, TOP, BOTTOM, *SIMPLE.values(),
    *RULES, BY_RULE, SINCE, *STAGES, *KINDS, "new: untuned model", "over 99 %", "under 1 %",
    "upload", "path", "url", "database", "readings", "error", "warning", "note",
    "quick", "usual", "thorough",
)  # fmt: skip
"""All of it, for catalogues."""
_RULE = re.compile(rf"fallback: ({'|'.join(RULES)})\b")
_BEGUN = re.compile(r"begun, attempt (\d+)")
_SINCE = re.compile(rf"\b({'|'.join(KINDS)}) since (\d{{4}}-\d\d-\d\d)")

_HOURS = re.compile(r"the (\d+) hours from (\d{4}-\d\d-\d\d \d\d:\d\d)")
_SHARE = re.compile(r"(top|bottom) ([\d.]+) % of ([^:,]+)")
_PASSED = re.compile(rf"({'|'.join(QUANTITIES)})(?= [<>] )")
_CHANCE = re.compile("over 99 %|under 1 %")
_WEEKDAY = re.compile(rf"({'|'.join(WEEKDAYS)})(?= \d{{4}}-)")


def alert_words(text: str, say: Callable[[str], str]) -> str:
    """An alert, its chance, and the day or hours that it is about.

    >>> alert_words("the 24 hours from 2024-03-01 14:00: top 5 % of load: over 99 %", str)
    'the 24 hours from 2024-03-01 14:00: top 5 % of load: over 99 %'
    """
    text = _HOURS.sub(lambda found: say(HOURS).format(hours=found[1], start=found[2]), text)
    text = _SHARE.sub(
        lambda found: say(TOP if found[1] == "top" else BOTTOM).format(
            share=found[2], name=say(found[3])
        ),
        text,
    )
    text = _WEEKDAY.sub(lambda found: say(found[0]), text)
    text = _PASSED.sub(lambda found: say(found[1]), text)
    return _CHANCE.sub(lambda found: say(found[0]), text)


def quality_words(text: str, say: Callable[[str], str]) -> str:
    """What the quality of a forecast says.

    >>> quality_words("fallback: last week (frozen since 2024-03-01)", str)
    'fallback: last week (frozen since 2024-03-01)'
    """
    text = _RULE.sub(lambda found: say(BY_RULE).format(rule=say(found[1])), say(text))
    return _SINCE.sub(lambda found: say(SINCE).format(kind=say(found[1]), date=found[2]), text)


def stage_words(text: str, say: Callable[[str], str]) -> str:
    """A stage, of which what comes after a colon stays as it is."""
    if begun := _BEGUN.fullmatch(text):
        return say(BEGUN).format(number=begun[1])
    stage, colon, part = text.partition(": ")
    return f"{say(stage)}{colon}{part}"


def why_words(text: str, say: Callable[[str], str]) -> str:
    """Why a column is taken for what it is, phrase by phrase.

    >>> why_words("numbers that change, in veh/h, with a decimal comma", str)
    'numbers that change, in veh/h, with a decimal comma'
    """
    if text in WHYS:
        return say(text)
    parts = re.split("(, |; )", text)
    return "".join(
        say(UNIT).format(unit=part[3:]) if part.startswith("in ") else say(part) for part in parts
    )
