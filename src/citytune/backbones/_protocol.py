"""What a pretrained model must offer, and the card that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

COARSE = 6
"""A clock with fewer steps a day is read by the week: a day has no shape to see."""


CROSS = "-cross"
"""How the name of a backbone ends that reads all sensors of a city together; only a person takes
such a one, never `auto`."""
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""The quantile levels that forecasts carry."""


class Past(NamedTuple):
    """What a backbone is shown: a batch of windows, ready for a network."""

    values: Tensor  # (example, context), scaled per window by the caller or not; never NaN
    measured: Tensor  # (example, context), bool: False where `values` was filled in
    calendar: Tensor  # (example, context + horizon, 3): day share 0…1, weekday 0…6, holiday 0/1
    steps_per_day: int
    covariates: Tensor | None = None  # (example, covariate, context + horizon), known ahead, in
    # their own units, NaN where unknown; for a backbone that `reads_ahead` alone
    together: int = 1  # so many windows in a row are of one moment, every sensor of a city, and
    # are read together; for a backbone that `reads_together` alone

    def pick(self, which: Tensor) -> Past:
        """Some of the windows; whole groups, where they are read together."""
        parts = self.values[which], self.measured[which], self.calendar[which]
        told = None if self.covariates is None else self.covariates[which]
        return Past(*parts, self.steps_per_day, told, self.together)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a person wants to know before choosing a pretrained model."""

    name: str
    """The name on the shelf."""
    title: str
    """One line for people."""
    parameters: int
    """Number of weights."""
    context: int
    """Longest past it looks at, in steps (of one hour, if `context_days` is set)."""
    context_days: int | None = None
    """Longest past it looks at, in days, if it adapts to the clock; see `context_at`."""
    most_steps: int = 4032
    """Longest past it looks at on a fine clock, in steps, if it adapts to the clock."""
    horizon: int | None
    """Steps it forecasts in one pass without tuning; None if it cannot forecast."""
    features: int
    """Width of its features."""
    levels: tuple[float, ...] = ()
    """Quantile levels that it gives itself; none if it gives points, or those of `LEVELS`."""
    licence: str
    """SPDX identifier of the weights."""
    restricted: str = ""
    """What the licence forbids, in words, and where it stands; a person must then accept it."""
    trained_on: str
    """The data of its pretraining, in words."""
    source: str
    """Paper or model page."""
    files: tuple[str, ...] = ()
    """Weight files it needs; none if nothing was pretrained or a package carries them."""
    sha256: tuple[str, ...] = ()
    """SHA-256 of `files`, in their order; empty text where it is not known."""
    folders: tuple[str, ...] = ()
    """Other names its folder of weights may have, apart from `name`."""
    parts: tuple[str, ...] = ()
    """Which parts of a file of a person's own are asked, by the names they have there."""
    hub: str = ""
    """Its repository on the Hugging Face hub, `owner/name` or `owner/name@revision`."""
    packages: tuple[str, ...] = ()
    """Python packages it needs, by the name they are imported under."""
    get: str = ""
    """How to get the weights, as one sentence with a command."""
    max_examples: int = 2000
    """Most windows worth passing through it when tuning on a laptop."""

    def context_at(self, steps_per_day: int) -> int:
        """Longest past worth showing on a clock with so many steps a day, in steps.

        A network with a fixed input looks at `context` steps of any clock. One that adapts to
        the clock looks at `context_days` days, fewer on a fine clock (14 of 5 minutes), so that
        windows stay within `most_steps`, and half a year where a day has too few steps to show.

        >>> card = Card(name="x", title="", parameters=0, context=672, context_days=28,
        ...             horizon=None, features=1, licence="", trained_on="", source="")
        >>> card.context_at(24), card.context_at(288), card.context_at(1)
        (672, 4032, 182)
        """
        if self.context_days is None:
            return self.context
        if steps_per_day < COARSE:
            return 182 * steps_per_day
        return max(2 * steps_per_day, min(self.context_days * steps_per_day, self.most_steps))


@runtime_checkable
class Backbone(Protocol):
    """A pretrained model behind one small door.

    `features` feed the closed-form head. `forecast` is the zero-shot forecast, None where the
    model cannot (an ImageNet network). `blocks` lists its parts in depth order, nearest the
    input first, for strategies that move some of them.
    """

    card: Card

    def features(self, past: Past) -> Tensor:
        """Features (example, feature) of a batch of windows; no gradient is needed by callers."""
        ...

    def forecast(self, past: Past, horizon: int) -> Tensor | None:
        """Zero-shot forecast (example, horizon) in the unit of `past.values`, or None.

        `horizon` is at most `card.horizon`; longer ones are the caller's business.
        """
        ...

    def blocks(self) -> Sequence[nn.Module]:
        """The network's parts in depth order; empty if it has no weights.

        Of a model that forecasts the last one is its head: what answers.
        """
        ...


def reads_ahead(backbone: object) -> bool:
    """Whether a backbone itself reads covariates known ahead: it has `covariates = True`."""
    return bool(getattr(backbone, "covariates", False))


def reads_together(backbone: object) -> bool:
    """Whether a forecast follows from other sensors too: it has `alone`, which reads each apart."""
    return hasattr(backbone, "alone")


def alone(backbone: Backbone) -> Backbone:
    """The same backbone, reading each sensor by itself."""
    found: Backbone = getattr(backbone, "alone", backbone)
    return found


@runtime_checkable
class Probabilistic(Protocol):
    """A backbone that also says how sure it is of its forecast."""

    card: Card

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Zero-shot quantiles (example, horizon, level) at `LEVELS`, in the unit of `past.values`.

        They do not cross, and the median is the forecast.
        """
        ...
