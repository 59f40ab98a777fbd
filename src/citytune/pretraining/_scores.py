"""Scores on the last part of every set, which training never sees, against the naive forecasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Past
from citytune.backbones.city import MEDIAN, PATCH, ROWS, CityInput, look, period_of
from citytune.pretraining._batches import calendar_at, generator, scaled, windows_at
from citytune.pretraining._source import Source

SHOWN = 32
"""Most windows of a set to score."""
FEWEST_SCORED = 8
"""Windows under which a set is not scored."""


@dataclass(frozen=True)
class Score:
    """How a network does on windows it was not trained on, against the best naive of each set."""

    relative: float
    """Geometric mean over sets of MAE relative to the best of the naive forecasts."""
    domains: dict[str, float]
    """The same by domain."""
    sets: dict[str, float]
    """The same of every set, on its own clock."""
    coverage: float
    """Mean share of values within the 90 % intervals."""


class _Exam(NamedTuple):
    name: str
    domain: str
    view: CityInput
    future: Tensor  # (example, horizon) in units of spread; NaN does not count
    naive: float  # MAE of the best naive forecast


def split(sources: Sequence[Source], held: float) -> tuple[list[Source], list[Source]]:
    """Each set's first part, to train on, and the whole of it, to score on its last part."""
    first = [_until(one, one.length - math.ceil(held * one.length)) for one in sources]
    return first, list(sources)


def _until(source: Source, end: int) -> Source:
    return replace(
        source,
        values=source.values[:, :end],
        share=source.share[:end],
        weekday=source.weekday[:end],
        holiday=source.holiday[:end],
    )


class Examiner:
    """Windows of one day ahead (a week on a daily clock) from the last part of every set."""

    def __init__(self, sources: Sequence[Source], held: float) -> None:
        finest = {one.name: one for one in reversed(sources)}  # a set's own clock comes first
        self.exams = [exam for one in finest.values() if held for exam in _exams(one, held)]

    def score(self, quantiles: Callable[[CityInput], Tensor]) -> Score | None:
        """Scores of a network; None if there is nothing to score on."""
        if not self.exams:
            return None
        relative, held = {}, []
        with torch.inference_mode():
            for exam in self.exams:
                found = quantiles(exam.view)[:, : exam.future.shape[1]]
                known = exam.future.isfinite()
                error = (found[..., MEDIAN] - exam.future).abs()[known].mean()
                inside = (exam.future >= found[..., 0]) & (exam.future <= found[..., -1])
                relative[exam.name] = float(error) / exam.naive
                held.append(float(inside[known].float().mean()))
        domains = {exam.domain for exam in self.exams}
        return Score(
            relative=_geometric(relative.values()),
            domains={
                domain: _geometric(
                    relative[exam.name] for exam in self.exams if exam.domain == domain
                )
                for domain in sorted(domains)
            },
            sets=relative,
            coverage=sum(held) / len(held),
        )


assert LEVELS[0] == 0.05  # what `coverage` is about
assert LEVELS[-1] == 0.95


def _exams(source: Source, held: float) -> Iterator[_Exam]:
    period = period_of(source.steps_per_day)
    horizon, context = max(PATCH, period), ROWS * period
    start = source.length - math.ceil(held * source.length)
    if start < 3 * period or source.length - start < horizon:
        return
    chance = generator(0, 0)
    origin = torch.randint(start, source.length - horizon + 1, (2 * SHOWN,), generator=chance)
    sensor = torch.randint(len(source.values), (2 * SHOWN,), generator=chance)
    windows = scaled(windows_at(source, sensor, origin, context, horizon), context)
    naive = torch.stack(list(_naive(windows, context, horizon, period)))
    future = windows[:, context:].masked_fill(~naive.isfinite().all(0), torch.nan)
    seen = windows[:, :context].isfinite().float().mean(1)
    kept = (future.isfinite().any(1) & (seen > 0.2)).nonzero().squeeze(1)[:SHOWN]
    if len(kept) < FEWEST_SCORED:
        return
    future, past = future[kept], windows[kept, :context]
    error = (naive[:, kept] - future).abs().nanmean((1, 2)).amin()
    if not error > 0:
        return
    calendar = calendar_at(source, origin[kept], context, horizon)
    shown = Past(past.nan_to_num(0.0), past.isfinite(), calendar, source.steps_per_day)
    yield _Exam(source.name, source.domain, look(shown, horizon), future, float(error))


def _naive(windows: Tensor, context: int, horizon: int, period: int) -> Iterator[Tensor]:
    """Yesterday's, last week's, and the mean of the last four weeks' values, where there are."""
    ago = {days: _ago(windows, context, horizon, days * period) for days in (1, 7, 14, 21, 28)}
    yield ago[1]
    if bool(ago[7].isfinite().any()):
        yield ago[7].where(ago[7].isfinite(), ago[1])
        mean = torch.stack([ago[days] for days in (7, 14, 21, 28)]).nanmean(0)
        yield mean.where(mean.isfinite(), ago[1])


def _ago(windows: Tensor, context: int, horizon: int, back: int) -> Tensor:
    when = context + torch.arange(horizon) - back * (1 + torch.arange(horizon) // back)
    return windows[:, when]


def _geometric(values: Iterable[float]) -> float:
    logs = [math.log(max(value, 1e-9)) for value in values]
    return math.exp(sum(logs) / len(logs))
