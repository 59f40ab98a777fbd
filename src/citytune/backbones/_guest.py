"""What every guest has in common: windows in their own unit, asked in chunks, and the answer back.

A guest is a network that someone else made and trained. Its adapter says how it is asked; here is
how a window is shown to it: around the mean of what was measured, in units of its spread, so that
no unit is too large or small for it, and NaN where nothing was measured, if it knows what that is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones._levels import MIDDLE, to_levels
from citytune.backbones._network import frozen, in_chunks
from citytune.backbones._protocol import LEVELS, Card, Past


class Shown(NamedTuple):
    """Windows as a guest sees them, and what undoes it."""

    values: Tensor  # (example, time) float32, around `level`, in units of `spread`
    level: Tensor  # (example, 1) float64, in the unit of the data
    spread: Tensor  # (example, 1) float64, in the unit of the data
    past: Past


class Guest(ABC):
    """A network of someone else's that forecasts points, as a backbone."""

    chunk = 64
    """Windows a pass."""
    covariates = False
    """Whether it reads what is known ahead."""
    gaps = False
    """Whether it is shown NaN where nothing was measured."""
    patch = 1
    """Steps of past it reads at once; what is left out before the first reading is whole ones."""
    centred = True
    """Whether a window is shown around its mean; if not, only in units of its mean size."""
    answers = 1
    """How many numbers it gives for each step: one for points."""

    def __init__(self, card: Card, network: nn.Module) -> None:
        self.card = card
        self.network = frozen(network)

    @abstractmethod
    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its answer (example, horizon, own level), in the unit of what is shown; one for points.

        `horizon` is at most that of the card. Use `ask` for what may live on a GPU.
        """

    @abstractmethod
    def state(self, shown: Shown) -> Tensor:
        """What it makes of the past (example, feature)."""

    @abstractmethod
    def blocks(self) -> Sequence[nn.Module]:
        """Its parts in depth order; none if no gradient passes through its answer."""

    def features(self, past: Past) -> Tensor:
        """What it makes of the past (example, feature)."""
        return self._each(past, self.state)

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """Its forecast (example, horizon), in the unit of `past.values`."""
        return self._answer(past, horizon)[..., 0]

    def _answer(self, past: Past, horizon: int) -> Tensor:
        def step(shown: Shown) -> Tensor:
            found = self.ahead(shown, horizon).double()
            found = found * shown.spread[..., None] + shown.level[..., None]
            return found.to(past.values.dtype)

        return self._each(past, step, (horizon, self.answers))

    def _each(
        self, past: Past, step: Callable[[Shown], Tensor], empty: tuple[int, ...] | None = None
    ) -> Tensor:
        if not len(past.values):
            return past.values.new_zeros(0, *(empty or (self.card.features,)))

        def some(which: Tensor) -> Tensor:
            return step(self.show(past.pick(which.flatten())))

        groups = torch.arange(len(past.values)).view(-1, past.together)
        size = max(1, self.chunk // self.series(past) // past.together)
        return in_chunks(self.network, some, groups, size)

    def series(self, past: Past) -> int:
        """How many series it is shown for each window."""
        return 1

    def show(self, past: Past) -> Shown:
        """Windows in their own unit, and no more of the past than the card says.

        Raises:
            ValueError: a value is NaN or infinite; whoever cuts windows fills them first.
        """
        values, known = (part[:, -self._longest(past) :] for part in past[:2])
        exact = values.double()
        if not bool(exact.isfinite().all()):
            raise ValueError("a window holds NaN or infinite values; fill its gaps before it")
        known = known | ~known.any(1, keepdim=True)  # nothing measured at all: what was filled in
        level, spread = self._unit(exact, known.double())
        shown = ((exact - level) / spread).float()
        if self.gaps:
            first = int(known.any(0).int().argmax())
            shown = shown.masked_fill(~known, torch.nan)[:, first // self.patch * self.patch :]
        return Shown(shown, level, spread, past)

    def _longest(self, past: Past) -> int:
        return min(past.values.shape[1], self.card.context_at(past.steps_per_day))

    def _unit(self, exact: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        if not self.centred:
            usual = (exact * known).abs().sum(1, keepdim=True) / known.sum(1, keepdim=True)
            return torch.zeros_like(usual), torch.where(usual > 0, usual, 1.0)
        level, spread = unit_of(exact, known)
        return level, torch.where(spread > 0, spread, 1.0)


def unit_of(exact: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread (example, 1) of what was measured; spread 0 where it is rounding at most.

    Args:
        exact: Windows (example, time), float64.
        known: 1 where a value was measured, 0 where it was filled in, float64.
    """
    count = known.sum(1, keepdim=True).clamp_min(1)
    level = (exact * known).sum(1, keepdim=True) / count
    spread = (((exact - level) * known).square().sum(1, keepdim=True) / count).sqrt()
    flat = spread <= 1e-6 * (exact * known).abs().amax(1, keepdim=True)
    return level, spread.masked_fill(flat, 0.0)


def in_patches(shown: Shown, patch: int) -> tuple[Tensor, Tensor]:
    """Windows in whole patches, from the first that holds a reading of any of them.

    Returns:
        (example, time) the values, gaps filled and 0 before the window; and 1 where a value was
        measured, else 0. If nothing was, what was filled in counts.
    """
    length = shown.values.shape[1]
    measured = shown.past.measured[:, -length:]
    known = (measured | ~measured.any(1, keepdim=True)).to(shown.values)
    whole = [nn.functional.pad(part, (-length % patch, 0)) for part in (shown.values, known)]
    start = int(whole[1].amax(0).argmax()) // patch * patch
    values, known = (part[:, start:] for part in whole)
    return values, known


def last_and_mean(states: Tensor, there: Tensor) -> Tensor:
    """(example, 2 · channel) of states (example, place, channel): the last, and their mean.

    The mean is over the places that are there (example, place).
    """
    shares = there.to(states.dtype)
    mean = (states * shares[..., None]).sum(1) / shares.sum(1, keepdim=True).clamp_min(1)
    return torch.cat([states[:, -1], mean], 1)


def lengthened(values: Tensor, context: int) -> Tensor:
    """Windows (example, context); what lies before shorter ones repeats them."""
    lacking = context - values.shape[1]
    if lacking <= 0:
        return values
    before = values[:, torch.arange(-lacking, 0) % values.shape[1]]
    return torch.cat([before, values], 1)


class SureGuest(Guest):
    """One that gives quantiles, at the levels of its card."""

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """The median (example, horizon), in the unit of `past.values`."""
        return self.quantiles(past, horizon)[..., MIDDLE]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Quantiles (example, horizon, level) at `LEVELS`, in the unit of `past.values`."""
        return to_levels(self._answer(past, horizon), self.card.levels or LEVELS)

    @property
    def answers(self) -> int:  # type: ignore[override]
        """One for each of its levels."""
        return len(self.card.levels or LEVELS)
