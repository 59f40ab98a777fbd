"""`lags`: no pretrained weights at all, only scaled lags and the calendar; the honest rival."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, one_hot, pad

from citytune.backbones._network import standardise
from citytune.backbones._protocol import Backbone, Card, Past
from citytune.backbones._shelf import register

RECENT = 12
"""Last steps, one by one."""
MEAN_DAYS = 28
"""Days of which the means are kept."""
SHAPES = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28)
"""Days ago of which the shape is kept: the last week, and the same weekday before it."""
SHAPE_POINTS = 24
"""Points of a day's shape, whatever the clock."""
HARMONICS = 4
"""Waves a day that tell the time of day."""
AHEAD = 7
"""Days ahead of which holidays are told."""

CARD = Card(
    name="lags",
    title="Recent values, the same hours of past days, and the calendar; nothing pretrained",
    parameters=0,
    context=672,
    context_days=MEAN_DAYS,
    horizon=None,
    features=RECENT
    + MEAN_DAYS
    + len(SHAPES) * SHAPE_POINTS
    + 2 * HARMONICS
    + 7
    + 2 * 3
    + AHEAD
    + 1,
    licence="Apache-2.0",
    trained_on="nothing",
    source="Hyndman and Athanasopoulos, Forecasting: Principles and Practice, chapters 5 and 7",
    get="it is part of citytune and always here.",
    max_examples=4000,
)


class Lags:
    """Features anyone would write down by hand, relative to the window's own level and spread."""

    card = CARD

    def features(self, past: Past) -> Tensor:
        """Scaled lags, then the calendar of the forecast (example, feature)."""
        scaled, _, _ = standardise(past.values)
        return torch.cat([*lags_of(scaled, past.steps_per_day), *calendar_of(past)], dim=1)

    def forecast(self, past: Past, horizon: int) -> None:
        """None: nothing here was pretrained to forecast."""

    def blocks(self) -> Sequence[nn.Module]:
        """No weights, no parts."""
        return ()


def lags_of(scaled: Tensor, steps_per_day: int) -> list[Tensor]:
    """Last steps, daily means, and shapes of past days; 0, the window's mean, before its start.

    A past day is 24 hours counted back from the origin, so the k-th point of "7 days ago" is the
    same slot of the week as the k-th part of the first day ahead.
    """
    whole = pad(scaled, (max(0, MEAN_DAYS * steps_per_day - scaled.shape[1]), 0))
    days = whole[:, -MEAN_DAYS * steps_per_day :].unflatten(1, (MEAN_DAYS, steps_per_day))
    shapes = adaptive_avg_pool1d(days[:, [-ago for ago in SHAPES]], SHAPE_POINTS)
    recent = pad(scaled, (max(0, RECENT - scaled.shape[1]), 0))[:, -RECENT:]
    return [recent, days.mean(-1), shapes.flatten(1)]


def calendar_of(past: Past) -> list[Tensor]:
    """Time of day, weekday and time of week of the first step ahead; holidays now and ahead."""
    ahead = past.calendar[:, past.values.shape[1] :]
    day, weekday = ahead[:, 0, 0:1], ahead[:, 0, 1]
    now = past.calendar[:, past.values.shape[1] - 1, 2:3]
    waves = 2 * math.pi * day * torch.arange(1, HARMONICS + 1)
    week = 2 * math.pi * (weekday[:, None] + day) / 7 * torch.arange(1, 4)
    holidays = pad(ahead[..., 2], (0, max(0, AHEAD * past.steps_per_day - ahead.shape[1])))
    daily = (
        holidays[:, : AHEAD * past.steps_per_day].unflatten(1, (AHEAD, past.steps_per_day)).mean(-1)
    )
    weekdays = one_hot(weekday.long(), 7).float()
    return [waves.sin(), waves.cos(), weekdays, week.sin(), week.cos(), daily, now]


def _make() -> Backbone:
    return Lags()


register(CARD, _make)
