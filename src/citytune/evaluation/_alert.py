"""What somebody wants to be warned of: a threshold, and on which side of it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.frame import Quantity

EXAMPLES = "'pm2.5>150', '>150', '<30' or 'top 5%'"
USUAL = "top 5%"
"""What is looked at if nobody asks for anything."""
_PASSED = re.compile(
    r"(?P<name>[^<>]*)(?P<side>[<>])\s*(?P<number>[-+]?[\d.]+(e[-+]?\d+)?)\s*(?P<unit>.*)"
)
_RAREST = re.compile(r"(?P<side>top|bottom)\s*(?P<number>[\d.]+)\s*(%|per ?cent)", re.IGNORECASE)


@dataclass(frozen=True)
class Alert:
    """A threshold whose passing matters, of whatever quantity the frame holds.

    Example:
        >>> Alert(150.0), Alert.parse("<30") == Alert(30.0, above=False)
        (Alert(threshold=150.0, above=True, rarest=None, level=0.5), True)
        >>> Alert.parse("top 5%").words(Quantity("load", "MW"))
        'top 5 % of load'
    """

    threshold: float | None = None
    """In the unit of the data; None if it is each sensor's own, by `rarest`."""
    above: bool = True
    """Whether large values matter; False for small ones."""
    rarest: float | None = field(default=None, kw_only=True)
    """Instead of a threshold: the share of each sensor's history that lies beyond its own."""
    level: float = field(default=0.5, kw_only=True)
    """An alert is raised where the probability of passing is at least this."""

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.rarest is None):
            raise InputError(
                "an alert has either a threshold or a share of rarest values, and not both; for "
                "example Alert(150.0) or Alert(rarest=0.05)"
            )
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"an alert's threshold is a number, got {self.threshold!r}")
        if self.rarest is not None and not 0 < self.rarest < 0.5:
            raise InputError(
                f"the rarest values are more than 0 % and less than 50 % of all, got "
                f"{100 * self.rarest:g} %"
            )
        if not 0 < self.level < 1:
            raise InputError(f"an alert's level is between 0 and 1, got {self.level!r}")

    @classmethod
    def parse(cls, text: str, quantity: Quantity | None = None) -> Self:
        """Read "pm2.5>150", ">150", "<30", "top 5%" or "bottom 5%".

        Args:
            text: A unit may follow the number: "pm2.5 > 150 µg/m³".
            quantity: What the frame holds; another name or unit is then refused.

        Raises:
            InputError: it cannot be read, or speaks of something the frame does not hold.
        """
        if found := _RAREST.fullmatch(text.strip()):
            share = _number(found["number"], text) / 100
            return cls(rarest=share, above=found["side"].lower() == "top")
        found = _PASSED.fullmatch(text.strip())
        if not found:
            raise InputError(f"the alert {text!r} cannot be read; write it as {EXAMPLES}")
        if quantity is not None:
            _check(text, found["name"].strip(), found["unit"].strip(), quantity)
        return cls(_number(found["number"], text), above=found["side"] == ">")

    def thresholds(self, history: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each sensor's threshold (sensor,), in the unit of the data.

        Args:
            history: (time, sensor), what was measured before what is scored; NaN is missing.

        Returns:
            NaN for a sensor whose threshold is its own and of which nothing was measured.
        """
        if self.threshold is not None:
            return np.full(history.shape[1], self.threshold, np.float32)
        assert self.rarest is not None, "checked when it was made"
        share = 1 - self.rarest if self.above else self.rarest
        found = np.full(history.shape[1], np.nan, np.float32)
        for sensor, values in enumerate(history.T):
            known = values[np.isfinite(values)]
            if len(known):
                found[sensor] = np.quantile(known, share)
        return found

    def words(self, quantity: Quantity) -> str:
        """What it is called in a table: "pm2.5 > 150 µg/m³"."""
        name = quantity.name.replace("_", " ")
        if self.rarest is not None:
            return f"{'top' if self.above else 'bottom'} {100 * self.rarest:g} % of {name}"
        return f"{name} {'>' if self.above else '<'} {self.threshold:g} {quantity.unit}".strip()


def alerts_of(wanted: Sequence[Alert | str] | None, quantity: Quantity) -> tuple[Alert, ...]:
    """What to look at in a frame that holds `quantity`; each once, `USUAL` if nothing was said."""
    asked = (USUAL,) if wanted is None else wanted
    found = [Alert.parse(one, quantity) if isinstance(one, str) else one for one in asked]
    return tuple(dict.fromkeys(found))


def _check(text: str, name: str, unit: str, quantity: Quantity) -> None:
    if name and _plain(name) != _plain(quantity.name):
        raise InputError(
            f"the alert {text!r} speaks of {name!r}, but the readings are {quantity.name!r}; write "
            f"{quantity.name + text.strip()[len(name) :].lstrip()!r}, or read them with "
            f"quantity={name!r}"
        )
    if unit and _plain(unit) != _plain(quantity.unit):
        held = f"in {quantity.unit!r}" if quantity.unit else "of an unknown unit"
        raise InputError(
            f"the alert {text!r} is in {unit!r}, but the readings are {held}; write the threshold "
            "in the unit of the readings, without the unit"
        )


def _plain(name: str) -> str:
    """Letters and digits only, so that PM2.5, pm25 and pm_2_5 are one name, and m³ is m3."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).lower()))


def _number(digits: str, text: str) -> float:
    try:
        return float(digits)
    except ValueError:
        raise InputError(
            f"the alert {text!r} has no number that can be read; write it as {EXAMPLES}"
        ) from None
