"""What boosted trees see of every step ahead: a row of numbers, all of them known at the origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune.tuning.examples._batch import COVARIATES, Batch
from citytune.tuning.examples._timetable import Timetable
from citytune.tuning.experts._covariates import COVARIATE_CLIP, Usual
from citytune.windows import Axes, Examples, Seasonal, cut_past

RULES = ("yesterday", "last-week", "days", "day-kind", "weeks", "day-kind+fading")
"""Seasonal rules that trees see."""
LAGS_HOURS = (1, 2, 3, 6, 24)
"""Hours before the origin whose values trees see; on a slower clock, steps."""
ALIKE = 0.8
"""Correlation from which two covariates are one thing measured at two places."""
SHOWN_LEVELS = (0, 2, 8, 10)
"""Places in `LEVELS` of the network's quantiles that trees see."""
YEAR_DAYS = 365.2425
MOST_SHOWN = 1e4
"""Numbers beyond this are cut: a sensor that ran away tells no more by being further off."""


@dataclass(frozen=True, eq=False)
class Weather:
    """Covariates that trees see, standardised, those alike also as their mean."""

    usual: Usual
    groups: Annotated[Tensor, Axes("any", "covariate")]
    """(group, covariate) shares in each mean."""

    @classmethod
    def of(cls, timetable: Timetable) -> Weather:
        """Put those together that went up and down together."""
        usual = Usual.of(timetable)
        table = standardised(timetable, usual)[..., : timetable.end - timetable.first].flatten(1)
        alike = torch.corrcoef(table) if len(table) > 1 else table.new_ones(1, 1)
        group, rest = [], list(range(len(table)))
        while rest:
            own = [i for i in rest if i == rest[0] or float(alike[rest[0], i]) > ALIKE]
            group.append([float(i in own) / len(own) for i in range(len(table))])
            rest = [i for i in rest if i not in own]
        return cls(usual, torch.tensor(group))

    @property
    def features(self) -> int:
        """How many columns it makes."""
        groups, covariates = self.groups.shape
        return 7 * groups + (2 * covariates if groups < covariates else 0)

    def columns(self, ahead: Timetable, examples: Examples, horizon: int) -> list[Tensor]:
        """Each (example, horizon): the moment itself, and against the days and hours before."""
        every = standardised(ahead, self.usual)
        means = torch.einsum("gc,cst->gst", self.groups, every)
        found = list(_against_before(means, ahead.steps_per_day, examples, horizon).flatten(0, 1))
        if len(means) == len(every):
            return found
        when = examples.origin[:, None] + torch.arange(horizon)
        sensor = place_in(every, examples)
        last = every[:, sensor, (examples.origin[:, None] - 1).clamp_min(0)]
        now = every[:, sensor, when]
        return [*found, *now, *(now - last)]


def standardised(ahead: Timetable, usual: Usual) -> Tensor:
    """(covariate, sensor, time) in usual spreads around the usual level; 0 where unknown."""
    found = (ahead.covariates - usual.level) / usual.spread
    return found.clamp(-COVARIATE_CLIP, COVARIATE_CLIP).nan_to_num(0.0)


def place_in(table: Tensor, examples: Examples) -> Tensor:
    """(example, 1) the row of each sensor in a table that may have one for all."""
    sensor = examples.sensor[:, None]
    return sensor if table.shape[1] > 1 else torch.zeros_like(sensor)


def _against_before(table: Tensor, day: int, examples: Examples, horizon: int) -> Tensor:
    """(7, group, example, horizon) now, and less its like at other times.

    Less its means over the last hours, day and three days up to that moment, at the same time of
    the last week, over the day before the origin, and at the last step before it.
    """
    total = pad(table.cumsum(-1, dtype=torch.float64), (1, 0))
    origin = examples.origin[:, None]
    when, sensor = origin + torch.arange(horizon), place_in(table, examples)

    def mean(last: Tensor, steps: int) -> Tensor:
        """Over the last so many steps before `last`."""
        first = (last - steps).clamp_min(0)
        found = total[:, sensor, last] - total[:, sensor, first]
        return (found / (last - first).clamp_min(1)).float()

    now = table[:, sensor, when]
    back = -(-(when - origin + 1) // day)  # days until known
    same = sum(table[:, sensor, (when - (back + k) * day).clamp_min(0)] for k in range(7)) / 7
    before = [mean(when + 1, steps) for steps in (max(2, day // 4), day, 3 * day)]
    last = table[:, sensor, (origin - 1).clamp_min(0)].expand_as(now)
    others = [*before, same, mean(origin, day).expand_as(now), last]
    return torch.stack([now, *(now - other for other in others)])


def calendar_columns(seasonal: Seasonal, examples: Examples, horizon: int) -> list[Tensor]:
    """Each (example, horizon): hour, weekday, kind of day, holiday, steps ahead."""
    history = seasonal.history
    when = examples.origin[:, None] + torch.arange(horizon)
    steps = torch.arange(horizon).expand_as(when)
    kept = history.slot, history.weekday, history.kind_of_day, history.holiday
    return [*(part[when].float() for part in kept), steps.float()]


def year_columns(seasonal: Seasonal, examples: Examples, horizon: int) -> list[Tensor]:
    """Each (example, horizon): how far into the year, as two waves."""
    history = seasonal.history
    when = examples.origin[:, None] + torch.arange(horizon) + history.first
    turn = when.double() / history.steps_per_day * (2 * math.pi / YEAR_DAYS)
    return [turn.sin().float(), turn.cos().float()]


def past_columns(batch: Batch, around: Tensor, rules: Tensor, scale: Tensor) -> list[Tensor]:
    """Each (example, horizon): like days, the last hours, and what was unusual about them.

    Args:
        batch: The windows.
        around: (example, horizon) the forecast to improve, in the unit of the data.
        rules: (example, horizon, rule) those of `RULES`, likewise.
        scale: (example, 1) usual spread of each sensor, likewise.
    """
    history, examples = batch.seasonal.history, batch.examples
    day = history.steps_per_day
    hour = max(1, day // 24)
    values = cut_past(history.filled, examples, max(25 * hour, 7 * day), period=day)
    lags = torch.stack([values[:, -lag * hour] for lag in LAGS_HOURS], 1)
    now, today = (values[:, -steps:].mean(1, keepdim=True) for steps in (hour, max(day, 3)))
    odd = cut_past(history.raw - batch.seasonal.kind, examples, max(day, 3)).nan_to_num(0.0)
    recent = [now - today, today - values.mean(1, keepdim=True), odd.mean(1, keepdim=True)]
    own = [rules.std(-1), lags[:, :1] - around, odd[:, -1:], *recent]
    own += (lags - today).split(1, 1)
    columns = [*(rules - around[..., None]).unbind(-1), *own]
    return [(part / scale).expand_as(around) for part in columns]


@dataclass(frozen=True, eq=False)
class View:
    """What trees see of a step ahead."""

    around: str
    """The expert whose error they tell."""
    past: bool
    """Whether they see like days, the last hours and the time of the year."""
    network: bool
    """Whether they see the quantiles of the network."""
    weather: Weather | None
    """What is known ahead."""
    level: Annotated[Tensor, Axes("sensor")]
    """(sensor,) usual level of each, in the unit of the data."""
    spread: Annotated[Tensor, Axes("sensor")]
    """(sensor,) usual spread of each, likewise."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The experts that they look at, and `COVARIATES`."""
        names = dict.fromkeys((self.around, *(RULES if self.past else ())))
        return (*names, *((COVARIATES,) if self.weather is not None else ()))

    @property
    def features(self) -> int:
        """How many numbers they see."""
        past = len(RULES) + 6 + len(LAGS_HOURS) + 2 if self.past else 0
        weather = 0 if self.weather is None else self.weather.features
        return 7 + past + (len(SHOWN_LEVELS) if self.network else 0) + weather

    def rows(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """(example, horizon, feature); all are finite."""
        around, sensor = so_far[self.around], batch.sensor
        scale, level = self.spread[sensor][:, None], self.level[sensor][:, None]
        where = batch.seasonal, batch.examples, around.shape[1]
        found = [(around - level) / scale, sensor[:, None].float().expand_as(around)]
        found += calendar_columns(*where)
        if self.past:
            rules = torch.stack([so_far[name] for name in RULES], -1)
            found += [*year_columns(*where), *past_columns(batch, around, rules, scale)]
        if self.network:
            found += (batch.deviations[..., SHOWN_LEVELS] / scale[..., None]).unbind(-1)
        if self.weather is not None:
            found += self.weather.columns(batch.timetable, *where[1:])
        return torch.stack(found, -1).nan_to_num(0.0).clamp(-MOST_SHOWN, MOST_SHOWN)

    def known(self, batch: Batch) -> Tensor:
        """(example, horizon) bool: where everything is known ahead that they look at."""
        when = batch.examples.origin[:, None] + torch.arange(batch.spec.horizon)
        table = batch.timetable.covariates
        return table[:, place_in(table, batch.examples), when].isfinite().all(0)
