"""Which values somebody wants treated fairly though they are rare."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from citytune._errors import InputError

if TYPE_CHECKING:
    from citytune.frame import Quantity

RARE_EXAMPLES = "'density', 'pm2.5>150', '<30', 'top 5%' or '7-9h,16-18h'"
DENSITY, IN_FIT = "density", "in fit"
FEW_SHARE = 0.1
"""By density, the share of each sensor's values that are called rare."""
_HOURS = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*[-–]\s*(\d{1,2}(?:\.\d+)?)\s*h?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Rare:
    """Values that matter more than their number: by default those where a sensor's are sparse.

    Example:
        >>> Rare.parse("top 5%").top, Rare.parse(">150,7-9h").peak_hours
        (0.05, ((7.0, 9.0),))
        >>> Rare.parse("pm2.5 > 150").words(), Rare.parse("density").words()
        ('values above 150', 'the rarest 10 % of values')
    """

    above: tuple[float, ...] = ()
    """Values above any of these, in the unit of the data."""
    below: tuple[float, ...] = ()
    """Values below any of these."""
    top: float | None = None
    """The largest values of each sensor: this share of its history."""
    bottom: float | None = None
    """The smallest values of each sensor: this share of its history."""
    peak_hours: tuple[tuple[float, float], ...] = ()
    """Local hours (from, until) whatever the value, such as (7, 9); (22, 6) is over midnight."""
    power: float | None = None
    """How much they count: 0 as any value, 1 together as much as all others. None is the most
    that costs no more than `price`, out of fold."""
    price: float = 0.03
    """Largest share by which the mean error over all values may rise, out of fold."""
    in_fit: bool = False
    """Whether rare values also count more in what is fitted, and not only in where the
    forecast is moved. On the sets measured that gained little, and cost more than it gained on
    some. Peak hours always do, as a forecast of them cannot be moved by its value."""

    def __post_init__(self) -> None:
        for value in (*self.above, *self.below):
            if not math.isfinite(value):
                raise InputError(f"a threshold of rare values is a number, got {value!r}")
        for share in (self.top, self.bottom):
            if share is not None and not 0 < share < 0.5:
                raise InputError(
                    "rare values are more than 0 % and less than 50 % of all, got "
                    f"{100 * share:g} %"
                )
        for start, end in self.peak_hours:
            if not (0 <= start <= 24 and 0 <= end <= 24 and start != end):
                raise InputError(
                    f"peak hours run from one hour of the day to another, 0 … 24, such as 7-9h; "
                    f"got {start:g}-{end:g}h"
                )
        if self.power is not None and not 0 <= self.power <= 1:
            raise InputError(f"the power of rare values is between 0 and 1, got {self.power!r}")
        if not 0 <= self.price < 1:
            raise InputError(f"the price of rare values is a share 0 … 1, got {self.price!r}")

    @classmethod
    def parse(
        cls, *texts: str, quantity: Quantity | None = None, power: float | None = None
    ) -> Self:
        """Read "density", "pm2.5>150", "<30", "top 5%", "7-9h,16-18h", or several of them.

        Raises:
            InputError: it cannot be read, or speaks of something the frame does not hold.
        """
        from citytune.frame import read_threshold

        found: dict[str, Any] = {"above": (), "below": (), "peak_hours": (), "power": power}
        for part in (part.strip() for text in texts for part in text.split(",")):
            if part.lower() == DENSITY:
                continue
            if part.lower() == IN_FIT:
                found["in_fit"] = True
                continue
            if hours := _HOURS.fullmatch(part):
                found["peak_hours"] += ((float(hours[1]), float(hours[2])),)
                continue
            limit = read_threshold(part, quantity, what="rare value", examples=RARE_EXAMPLES)
            if limit.value is None:
                found["top" if limit.above else "bottom"] = limit.rarest
            else:
                found["above" if limit.above else "below"] += (limit.value,)
        return cls(**found)

    @classmethod
    def of(cls, wanted: Wanted, quantity: Quantity | None = None) -> Rare | None:
        """What was asked for, in words or not: None and False are nothing, True is by density."""
        if wanted is None or wanted is False or isinstance(wanted, Rare):
            return wanted or None
        if wanted is True:
            return cls()
        texts = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
            raise InputError(f"rare values are named by {RARE_EXAMPLES}; got {str(wanted)[:100]!r}")
        return cls.parse(*texts, quantity=quantity) if texts else None

    @classmethod
    def load(cls, facts: dict[str, Any] | None) -> Rare | None:
        """From what `dataclasses.asdict` gave, after a way through JSON."""
        if facts is None:
            return None
        lists = {name: tuple(facts[name]) for name in ("above", "below")}
        hours = tuple((start, end) for start, end in facts["peak_hours"])
        return cls(**(facts | lists | {"peak_hours": hours}))

    @property
    def by_value(self) -> bool:
        """Whether some values matter more than others, and not only some hours."""
        return bool(self.above or self.below or self.top or self.bottom or not self.peak_hours)

    @property
    def moves_fit(self) -> bool:
        """Whether some targets of a fit count more than others."""
        return self.in_fit or bool(self.peak_hours)

    @property
    def by_density(self) -> bool:
        """Whether the data say what is rare."""
        return self.by_value and not (self.above or self.below or self.top or self.bottom)

    def words(self) -> str:
        """What is treated as rare: "values above 150 and the top 5 %"."""
        said = [f"values above {value:g}" for value in self.above]
        said += [f"values below {value:g}" for value in self.below]
        said += [f"the top {100 * self.top:g} % of values"] if self.top else []
        said += [f"the bottom {100 * self.bottom:g} % of values"] if self.bottom else []
        said += [f"the rarest {100 * FEW_SHARE:g} % of values"] if self.by_density else []
        if self.peak_hours:
            said.append("hours " + ", ".join(f"{a:g}–{b:g}" for a, b in self.peak_hours))
        return " and ".join(said)


Wanted: TypeAlias = Rare | str | Sequence[str] | bool | None
"""How rare values may be asked for."""
