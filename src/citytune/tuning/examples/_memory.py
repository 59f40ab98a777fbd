"""What a fit leaves behind for the next one: what was learnt from, without the city's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from citytune.tuning.examples._timetable import Timetable
from citytune.windows import Axes, Examples, History, WindowSpec, cut_future, first_known


class Windows(NamedTuple):
    """What every strategy needs of the windows, whether or not their history is at hand."""

    sensor: Annotated[Tensor, Axes("example", dtype=torch.long)]
    origin: Annotated[Tensor, Axes("example", dtype=torch.long)]
    """Absolute step (see `History.first`) of the first target."""
    covered: Annotated[Tensor, Axes("example", dtype=torch.float64)]
    """Steps of context measured as usual, see `candidates`."""
    day: Annotated[Tensor, Axes("example", dtype=torch.long)]
    """Local day of the origin."""
    slot: Annotated[Tensor, Axes("example", "horizon", dtype=torch.long)]
    """Step of the day of each target."""
    actual: Annotated[Tensor, Axes("example", "horizon")]
    """In the unit of the data; NaN is missing."""

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
    """The windows of a fit, and what was forecast of them."""

    since: int
    """Absolute step of the first row that was learnt from."""
    until: int
    """Absolute step after the last one."""
    first: Annotated[Tensor, Axes("sensor", dtype=torch.long)]
    """Absolute step of each sensor's first value."""
    windows: Windows
    forecasts: Mapping[str, Annotated[Tensor, Axes("example", "horizon", "...")]]
    """Expert → (example, horizon); and the deviations of a model's own quantiles."""
    features: Annotated[Tensor, Axes("example", "feature")] | None = None
    """Of the frozen backbone, if a new last layer was tried."""
    window_spread: Annotated[Tensor, Axes("example", "1")] | None = None
    """Spread of each window's past, likewise."""
    signals: Annotated[Tensor, Axes("example", "any", "any")] | None = None
    """What the last hours told of the first steps, in the unit of the data, see `LastHour`."""
    timetable: Timetable | None = None
    """What was known ahead, if anything."""
    known_ahead: tuple[str, ...] = ()
    """Its names."""
    values: Annotated[Tensor, Axes("sensor", "any")] | None = None
    """All that was measured in the rows up to `until` that a fit looks at, if it must be known how
    rare a value is; NaN is missing."""

    def __post_init__(self) -> None:
        sensors = self.windows.sensor
        if len(sensors) and not (0 <= int(sensors.min()) <= int(sensors.max()) < len(self.first)):
            raise ValueError(f"there are windows of more than {len(self.first)} sensors")

    def pick(self, which: Tensor) -> Memory:
        """Of some of the windows, by index or mask."""
        return replace(
            self,
            windows=self.windows.pick(which),
            forecasts={name: part[which] for name, part in self.forecasts.items()},
            features=None if self.features is None else self.features[which],
            window_spread=None if self.window_spread is None else self.window_spread[which],
            signals=None if self.signals is None else self.signals[which],
        )

    def after(self, spec: WindowSpec) -> int:
        """The last start at which all targets had been seen."""
        return self.until - spec.horizon


def beginnings(history: History, memory: Memory | None) -> Tensor:
    """(sensor,) absolute step of each sensor's first value, in the history or before it."""
    found = first_known(history)
    return found if memory is None else found.minimum(memory.first)


def joined_values(history: History, memory: Memory | None, rows: int) -> Tensor:
    """(sensor, time) the last `rows` of what was measured, in the memory and then the history."""
    if memory is None or memory.values is None:
        return history.raw
    early = history.first - (memory.until - memory.values.shape[1])
    return torch.cat([memory.values[:, : max(0, early)], history.raw], 1)[:, -rows:]
