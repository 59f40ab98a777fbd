"""Read a threshold from words: "pm2.5>150", "<30" or "top 5%"."""

from __future__ import annotations

import re
from typing import NamedTuple

from citytune._errors import InputError
from citytune.frame._quantity import Quantity, plain_letters
from citytune.frame._units import same_unit

THRESHOLD_EXAMPLES = "'pm2.5>150', '>150', '<30' or 'top 5%'"
_PASSED = re.compile(
    r"(?P<name>[^<>]*)(?P<side>[<>])\s*(?P<number>[-+]?[\d.]+(e[-+]?\d+)?)\s*(?P<unit>.*)"
)
_RAREST = re.compile(r"(?P<side>top|bottom)\s*(?P<number>[\d.]+)\s*(%|per ?cent)", re.IGNORECASE)


class Threshold(NamedTuple):
    """A value, or a share of each sensor's rarest values, and the side that matters."""

    value: float | None  # in the unit of the data
    above: bool
    rarest: float | None  # 0 … 1, where there is no value


def read_threshold(
    text: str,
    quantity: Quantity | None = None,
    *,
    what: str = "alert",
    examples: str = THRESHOLD_EXAMPLES,
) -> Threshold:
    """Read "pm2.5>150", ">150", "<30", "top 5%" or "bottom 5%".

    Args:
        text: A unit may follow the number: "pm2.5 > 150 µg/m³".
        quantity: What the frame holds; another name or unit is then refused.
        what: What the text is, for the error.
        examples: How to write it, for the error.

    Raises:
        InputError: it cannot be read, or speaks of something the frame does not hold.

    >>> read_threshold("pm2.5>150").value, read_threshold("bottom 5%").rarest
    (150.0, 0.05)
    """
    if found := _RAREST.fullmatch(text.strip()):
        share = _number(found["number"], text, what, examples) / 100
        return Threshold(None, found["side"].lower() == "top", share)
    found = _PASSED.fullmatch(text.strip())
    if not found:
        raise InputError(f"the {what} {text!r} cannot be read; write it as {examples}")
    if quantity is not None:
        _check(text, found["name"].strip(), found["unit"].strip(), quantity, what)
    return Threshold(_number(found["number"], text, what, examples), found["side"] == ">", None)


def _check(text: str, name: str, unit: str, quantity: Quantity, what: str) -> None:
    if name and plain_letters(name) != plain_letters(quantity.name):
        raise InputError(
            f"the {what} {text!r} speaks of {name!r}, but the readings are {quantity.name!r}; "
            f"write {quantity.name + text.strip()[len(name) :].lstrip()!r}, which holds for every "
            f"sensor, or read them with quantity={name!r}"
        )
    if unit and not same_unit(unit, quantity.unit):
        held = f"in {quantity.unit!r}" if quantity.unit else "of an unknown unit"
        raise InputError(
            f"the {what} {text!r} is in {unit!r}, but the readings are {held}; write the threshold "
            "in the unit of the readings, without the unit"
        )


def _number(digits: str, text: str, what: str, examples: str) -> float:
    try:
        return float(digits)
    except ValueError:
        raise InputError(
            f"the {what} {text!r} has no number that can be read; write it as {examples}"
        ) from None
