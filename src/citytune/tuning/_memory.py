"""What a fit leaves behind for the next one: what was learnt from, without the city's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.tuning._covariates import Timetable
from citytune.windows import Examples, History, WindowSpec, cut_future, first_known


class Windows(NamedTuple):
    """What every strategy needs of the windows, whether or not their history is at hand."""

    sensor: Tensor  # (example,) long
    origin: Tensor  # (example,) long, absolute step (see `History.first`) of the first target
    covered: Tensor  # (example,) steps of context measured as usual, see `candidates`
    day: Tensor  # (example,) long, local day of the origin
    slot: Tensor  # (example, horizon) long, step of the day of each target
    season: Tensor  # (example, horizon) bool, in a holiday season
    actual: Tensor  # (example, horizon), in the unit of the data; NaN is missing

    @classmethod
    def of(cls, history: History, examples: Examples, covered: Tensor, horizon: int) -> Windows:
        """Read off a history."""
        when = examples.origin[:, None] + torch.arange(horizon)
        return cls(
            sensor=examples.sensor,
            origin=examples.origin + history.first,
            covered=covered,
            day=history.wall[examples.origin] // history.steps_per_day,
            slot=history.slot[when],
            season=history.season[when],
            actual=cut_future(history.raw, examples, horizon),
        )

    def pick(self, which: Tensor) -> Windows:
        """Some of the windows, by index or mask."""
        return Windows(*(part[which] for part in self))

    def then(self, later: Windows) -> Windows:
        """These and later ones."""
        return Windows(*(torch.cat(pair) for pair in zip(self, later, strict=True)))


@dataclass(frozen=True, eq=False)
class Memory:
    """The windows of a fit, and what was said of them."""

    since: int
    """Absolute step of the first row that was learnt from."""
    until: int
    """Absolute step after the last one."""
    first: Tensor
    """(sensor,) long: absolute step of each sensor's first value."""
    windows: Windows
    says: Mapping[str, Tensor]
    """Expert → (example, horizon); and the deviations of a model's own quantiles."""
    features: Tensor | None = None
    """(example, feature) of the frozen backbone, if a new last layer was tried."""
    unit: Tensor | None = None
    """(example, 1) spread of each window's past, likewise."""
    timetable: Timetable | None = None
    """What was known ahead, if anything."""
    known_ahead: tuple[str, ...] = ()
    """Its names."""

    def pick(self, which: Tensor) -> Memory:
        """Of some of the windows, by index or mask."""
        return replace(
            self,
            windows=self.windows.pick(which),
            says={name: part[which] for name, part in self.says.items()},
            features=None if self.features is None else self.features[which],
            unit=None if self.unit is None else self.unit[which],
        )

    def after(self, spec: WindowSpec) -> int:
        """The last start at which all targets had been seen."""
        return self.until - spec.horizon


def beginnings(history: History, memory: Memory | None) -> Tensor:
    """(sensor,) absolute step of each sensor's first value, in the history or before it."""
    found = first_known(history)
    return found if memory is None else found.minimum(memory.first)
