"""Synthetic city series by the thousand: a calendar, a random recipe each, and life's faults."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune.pretraining._faults import alive, befall, gaps
from citytune.pretraining._profiles import World
from citytune.pretraining._recipes import RECIPES

CLUSTERS = ((0, 1, 7), (0, 1, 2, 8), (0, 2, 3), (0, 1, 2, 3, 4, 5, 6), (0, 2), (0,))
"""Days of holidays that come together: Christmas (twice), Easter, a golden week, and less."""


class Synthetic(NamedTuple):
    """Series with their calendars, on one clock, each with its own start."""

    values: Tensor
    """(series, context + horizon) float32, in no unit; NaN is missing."""
    calendar: Tensor
    """(series, context + horizon, 3) float32: share of the local day 0 … 1, weekday (Monday 0),
    public holiday 0 or 1."""


def synthesise(
    count: int, context: int, horizon: int, steps_per_day: int, generator: torch.Generator
) -> Synthetic:
    """Make `count` series of `context + horizon` steps, all chance taken from `generator`.

    A pretrained network should have met more kinds of sensors than any archive holds; the idea of
    pretraining on random recipes is from ForecastPFN (Dooley et al. 2023) and KernelSynth (Ansari
    et al. 2024), the recipes are the city's. Large batches are made fastest: from 500 on. Series
    are made on the generator's device.

    Example:
        >>> made = synthesise(4, 28 * 24, 24, 24, torch.Generator().manual_seed(0))
        >>> made.values.shape, made.calendar.shape
        (torch.Size([4, 696]), torch.Size([4, 696, 3]))
    """
    length = context + horizon
    days = (length + 2 * steps_per_day - 2) // steps_per_day
    world = make_world(count, days, steps_per_day, generator)
    start = torch.randint(steps_per_day, (count, 1), generator=generator, device=generator.device)
    step = start + torch.arange(length, device=generator.device)  # (series, time), of whole days
    values = befall(world, measure(world)).flatten(1).gather(1, step)
    values = gaps(world, alive(world, values, context), context)
    return Synthetic(values, calendar_at(world, step))


def make_world(count: int, days: int, steps: int, generator: torch.Generator) -> World:
    """Draw the calendars."""
    first = torch.randint(7, (count, 1), generator=generator, device=generator.device)
    weekday = (first + torch.arange(days, device=generator.device)) % 7
    none = torch.zeros_like(weekday, dtype=torch.bool)
    world = World(generator, weekday, none, none.float(), steps)
    holiday, festive = holidays(world)
    return World(generator, weekday, holiday, festive, steps)


def holidays(world: World) -> tuple[Tensor, Tensor]:
    """Public holidays (series, day), some in clusters, and how festive the days around are.

    Mostly about as rare as in reality, 1 to 4 % of days; a cluster is laid rather late than early,
    so that forecasts often have to do with one.
    """
    single = world.chance(0.02, world.days) & world.chance(0.5, 1)
    reach = 1 + max(map(max, CLUSTERS))
    table = torch.zeros(len(CLUSTERS), reach, dtype=torch.bool, device=single.device)
    for row, days in zip(table, CLUSTERS, strict=True):
        row[list(days)] = True
    which = (world.between(0, 1, 1) * len(CLUSTERS)).long()  # (series, 1)
    begin = (world.between(0, 1, 1).sqrt() * (world.days + reach) - reach).long()
    since = torch.arange(world.days, device=single.device) - begin  # (series, day)
    within = (since >= 0) & (since < reach) & world.chance(min(1.0, world.days / 120), 1)
    cluster = table[which, since.clamp(0, reach - 1)] & within
    near = (1 - (since - reach / 2).abs() / reach).clamp_min(0)
    return single | cluster, torch.where(within.any(1, keepdim=True), near, 0.0)


def calendar_at(world: World, step: Tensor) -> Tensor:
    """The calendar (series, time, 3) of each `step` (series, time), counted from the first day."""
    calendar = torch.empty(*step.shape, 3, device=step.device)
    time = step.float()  # fractions are faster than whole numbers, and exact up to 16 million
    day = (time / world.steps).floor()
    calendar[:, :, 0] = (time - day * world.steps) / world.steps
    calendar[:, :, 1] = (world.weekday[:, :1] + day).remainder(7)
    calendar[:, :, 2] = world.holiday.float().gather(1, day.long())
    return calendar


def measure(world: World) -> Tensor:
    """Give each series a recipe and a unit (series, day, step)."""
    shares = torch.tensor(list(RECIPES.values()), device=world.generator.device)
    drawn = torch.multinomial(shares, world.series, replacement=True, generator=world.generator)
    values = torch.empty(world.series, world.days, world.steps, device=shares.device)
    for number, recipe in enumerate(RECIPES):
        which = (drawn == number).nonzero()[:, 0]
        if len(which):
            values[which] = recipe(world.only(which))
    return values * world.spread(0.01, 100) ** world.chance(0.5).float()
