"""An explanation of a forecast: what moved it, in numbers, sentences and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._text import duration, number, percent
from citytune.forecasting._explained_plot import plot_explanation
from citytune.frame import Clock, Quantity
from citytune.tuning import in_words

if TYPE_CHECKING:
    from citytune.pictures import Chart

Steps = NDArray[np.float32]
NEGLIGIBLE = 0.001
"""Share of the forecast under which an effect is not worth a sentence."""


class Effect(NamedTuple):
    """What one thing moved the forecast by."""

    kind: str
    """"expert", "past" or "covariate"."""
    name: str
    words: str
    """What it is, for people."""
    moved: Steps
    """(horizon,) in the unit of the data; NaN where there is no forecast."""
    share: float = float("nan")
    """Of an expert: how much it counts, on average over the steps."""

    @property
    def size(self) -> float:
        """Mean absolute move."""
        known = self.moved[np.isfinite(self.moved)]
        return float(np.abs(known).mean()) if len(known) else 0.0

    @property
    def mean(self) -> float:
        """Mean move: what goes up and then down is little."""
        known = self.moved[np.isfinite(self.moved)]
        return float(known.mean()) if len(known) else 0.0


@dataclass(frozen=True, eq=False)
class Explanation:
    """What moved the forecast of one sensor, the largest first; all in the unit of the data.

    Experts are exact: `home` and what they moved add up to `mixed`. The past and covariates are
    tried out: the model forecasts again without a part of the past, as if it had not been measured,
    or with a covariate ahead as it usually is at that time of day. What parts do together is not
    the sum of what each does.
    """

    sensor: str
    quantity: Quantity
    clock: Clock
    """Its step 0 is the first step forecast."""
    forecast: Steps
    """(horizon,) the median that was forecast, or with `rare` what it was moved to."""
    average: Steps
    """(horizon,) the mean of what was forecast, which is that of daily means and totals."""
    prior: str
    """The expert that stands for "as pretrained", …"""
    prior_words: str
    """… what that is, for people, …"""
    home: Steps
    """(horizon,) … and its forecast; without one, that of the best seasonal rule."""
    mixed: Steps
    """(horizon,) the mixture of the experts: the forecast, but for rare values and legal limits."""
    experts: tuple[Effect, ...]
    """What each moved it by from `home`; none where the forecast is a fallback."""
    past: tuple[Effect, ...]
    covariates: tuple[Effect, ...]

    def words(self) -> list[str]:
        """The same in sentences: what was learnt here, and then what mattered most."""
        unit = f" {self.quantity.unit}".rstrip()
        level = _mean(self.forecast)
        found = [self._level(unit)]
        if not self.experts:
            found.append("Too little was measured lately, so it repeats the last day measured.")
        else:
            shares = {one.name: one.share for one in self.experts}
            shares[self.prior] = 1 + shares.get(self.prior, 0.0) - sum(shares.values())
            shares = dict(sorted(shares.items(), key=lambda item: -item[1]))
            words = {one.name: one.words for one in self.experts} | {self.prior: self.prior_words}
            found.append(f"It is made of {in_words(shares, words)}.")
        if self.experts and abs(_mean(self.mixed) - _mean(self.home)) > NEGLIGIBLE * abs(level):
            moved = _signed(_mean(self.mixed) - _mean(self.home))
            found.append(
                f"As pretrained it would be {number(_mean(self.home))}{unit}; what was "
                f"learnt here moved it by {moved}{unit}."
            )
        least = NEGLIGIBLE * max(abs(level), 1e-9)
        every = (*self.experts, *self.past, *self.covariates)
        return [*found, *(self._sentence(one, unit) for one in every if one.size > least)]

    def _level(self, unit: str) -> str:
        """The height of the point forecast, and of the mean where that is another."""
        point, mean = number(_mean(self.forecast)), number(_mean(self.average))
        if point == mean:
            return f"{self.sensor}: {point}{unit} on average over {self._span()}."
        return (
            f"{self.sensor}: the point forecast, which is explained here, is {point}{unit} on "
            f"average over {self._span()}; the mean, in which rare values count in full, is "
            f"{mean}{unit}."
        )

    def _sentence(self, effect: Effect, unit: str) -> str:
        top = int(np.nanargmax(np.abs(effect.moved)))
        most = f"{_signed(float(effect.moved[top]))}{unit} at {self.clock.text(top)}"
        mean = f"{_signed(effect.mean)}{unit} on average, {most}"
        if effect.kind == "expert":
            words = effect.words[:1].upper() + effect.words[1:]
            return f"{words} ({percent(effect.share)} of the mixture): {mean}."
        if effect.kind == "past":
            return f"What was measured in {effect.words}: {mean}."
        return f"{effect.words}: {mean}."

    def plot(self) -> Chart:
        """Bars of what moved the forecast, on average over its steps."""
        return plot_explanation(self)

    def __str__(self) -> str:
        return "\n".join(self.words())

    def _span(self) -> str:
        return f"the next {duration(len(self.forecast) * self.clock.step).removeprefix('1 ')}"


def _mean(values: Steps) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{number(abs(value))}"
