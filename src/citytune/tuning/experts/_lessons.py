"""Windows of all of a city's history with what the experts forecast there, to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor

from citytune.settings import Effort
from citytune.tuning.examples._batch import COVARIATES, DEVIATIONS, Batch
from citytune.tuning.examples._training_windows import Span
from citytune.tuning.experts._expert import Expert
from citytune.windows import Seasonal, cut_future

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

MOST_WINDOWS: dict[Effort, int] = {"quick": 1000, "usual": 2000, "thorough": 6000}
"""Windows that are drawn from the whole history …"""
MOST_VALUES = 400_000
"""… and most values of one expert there, window times step."""


class Part(NamedTuple):
    """Some windows, and what is forecast of them."""

    which: Tensor  # (example,) long, among all
    batch: Batch
    so_far: dict[str, Tensor]  # expert → (example, horizon)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Windows whose history is at hand."""

    batch: Batch
    forecasts: Mapping[str, Tensor]
    """Expert → (example, horizon)."""
    first: int
    """Absolute step of the first row of their history."""

    @classmethod
    def of_history(cls, task: Task, names: Iterable[str]) -> Self:
        """Windows drawn from all of it, and what some experts that need no fitting forecast."""
        most = min(MOST_WINDOWS[task.settings.effort], max(200, MOST_VALUES // task.spec.horizon))
        examples, seasonal = task.training(most), Seasonal(task.history)
        batch = Batch(task.backbone, seasonal, examples, task.spec, spread=task.knows_spread)
        wanted = set(names)
        some = [expert for expert in task.experts if expert.name in wanted]
        found: dict[str, list[Tensor]] = {}
        for part in batch.chunks():
            asked = _asked(some, part)
            for name, values in asked.items():
                found.setdefault(name, []).append(values)
        forecasts = {name: torch.cat(parts) for name, parts in found.items()}
        computed = {DEVIATIONS: forecasts.pop(DEVIATIONS)} if DEVIATIONS in forecasts else {}
        return cls(replace(batch, computed=computed), forecasts, task.history.first)

    @classmethod
    def of_evidence(cls, task: Task, names: Iterable[str]) -> Self:
        """The windows by which a mixture is judged, without those that are only remembered."""
        wanted, live = [name for name in names if name != COVARIATES], task.live
        new = slice(len(task.examples) - len(live.examples), None)
        each = task.forecasts_of(wanted)[new].unbind(-1)
        own = task.deviations
        known = {} if own is None else {DEVIATIONS: own[new]}
        batch = replace(live, computed={**live.computed, **known})
        return cls(batch, dict(zip(wanted, each, strict=True)), task.recent.first)

    @property
    def origin(self) -> Tensor:
        """(example,) absolute step of each first target."""
        return self.batch.examples.origin + self.first

    @cached_property
    def actual(self) -> Tensor:
        """(example, horizon) what was measured; NaN is missing."""
        raw = self.batch.seasonal.history.raw
        return cut_future(raw, self.batch.examples, self.batch.spec.horizon)

    def apart_from(self, span: Span | None) -> Tensor:
        """(example,) bool: the windows none of whose targets lie in a span, if there is one."""
        if span is None:
            return torch.ones(len(self.origin), dtype=torch.bool)
        return (self.origin + self.batch.spec.horizon <= span.first) | (self.origin >= span.last)

    def parts(self, names: Iterable[str]) -> Iterator[Part]:
        """A part at a time, with what some experts forecast."""
        wanted, done = [name for name in names if name != COVARIATES], 0
        for batch in self.batch.chunks():
            which = torch.arange(done, done := done + len(batch.examples))
            yield Part(which, batch, {name: self.forecasts[name][which] for name in wanted})


def span_of(origin: Tensor, horizon: int) -> Span:
    """All targets of windows that begin at absolute steps `origin` (example,)."""
    first, last = origin.aminmax()
    return Span(int(first), int(last) + horizon)


def _asked(some: Sequence[Expert], batch: Batch) -> dict[str, Tensor]:
    so_far: dict[str, Tensor] = {}
    for expert in some:
        so_far[expert.name] = expert.forecast(batch, so_far)
    return so_far | ({DEVIATIONS: batch.deviations} if batch.spread else {})
