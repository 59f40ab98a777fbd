"""What somebody wants to be warned of: a threshold, and on which side of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from citytune._errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from citytune.frame import Quantity

USUAL = "top 5%"
"""What is looked at if nobody asks for anything."""
LEVEL = 0.3
"""A miss usually costs more than a false alarm. On eighteen sets this gave a higher F1 than one
half, and a slightly higher one, with fewer false alarms, than levels learnt by each out of fold."""


@dataclass(frozen=True)
class Alert:
    """A threshold whose passing matters, of whatever quantity the frame holds.

    Example:
        >>> from citytune.frame import Quantity
        >>> Alert(150.0), Alert.parse("<30") == Alert(30.0, above=False)
        (Alert(threshold=150.0, above=True, rarest=None, level=0.3), True)
        >>> Alert.parse("top 5%").words(Quantity("load", "MW"))
        'top 5 % of load'
    """

    threshold: float | None = None
    """In the unit of the data; None if it is each sensor's own, by `rarest`."""
    above: bool = True
    """Whether large values matter; False for small ones."""
    rarest: float | None = field(default=None, kw_only=True)
    """Instead of a threshold: the share of each sensor's history that lies beyond its own."""
    level: float = field(default=LEVEL, kw_only=True)
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
        from citytune.frame import read_threshold

        found = read_threshold(text, quantity)
        return cls(found.value, found.above, rarest=found.rarest)

    def thresholds(self, history: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each sensor's threshold (sensor,), in the unit of the data.

        Args:
            history: (time, sensor), what was measured before what is scored; NaN is missing.

        Returns:
            NaN for a sensor whose threshold is its own and that never showed two values, such as a
            dead one: then nothing is rare.
        """
        import numpy as np

        if self.threshold is not None:
            return np.full(history.shape[1], self.threshold, np.float32)
        assert self.rarest is not None, "checked when it was made"
        share = 1 - self.rarest if self.above else self.rarest
        found = np.full(history.shape[1], np.nan, np.float32)
        for sensor, values in enumerate(history.T):
            known = values[np.isfinite(values)]
            if len(known) and known.min() < known.max():
                found[sensor] = np.quantile(known, share)
        return found

    @property
    def column(self) -> str:
        """The column of its chances in a table of forecasts.

        >>> Alert(50.0).column, Alert(2.5, above=False).column, Alert(rarest=0.05).column
        ('p_above_50', 'p_below_2.5', 'p_top_5')
        """
        if self.rarest is not None:
            return f"p_{'top' if self.above else 'bottom'}_{100 * self.rarest:g}"
        return f"p_{'above' if self.above else 'below'}_{self.threshold:.12g}"

    def words(self, quantity: Quantity) -> str:
        """What it is called in a table: "pm2.5 > 150 µg/m³"."""
        name = quantity.name.replace("_", " ")
        if self.rarest is not None:
            return f"{'top' if self.above else 'bottom'} {100 * self.rarest:g} % of {name}"
        return f"{name} {'>' if self.above else '<'} {self.threshold:g} {quantity.unit}".strip()
