"""How hard the task is: what a spectrum, the calendar and the noise say of a city's sensors."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.tuning import Task

NATURE_DAYS = 56
"""Most recent days that are looked at."""


class Nature(NamedTuple):
    """Medians over sensors."""

    forecastable: float
    """1 less the spectral entropy, 0 … 1 (Goerg 2013): noise is 0, a pure wave is 1."""
    calendar: float
    """Share of the variance that time of day and kind of day explain."""
    signal: float
    """Variance over that of noise from step to step."""


def nature_of(task: Task) -> Nature:
    """Look at the last weeks of every sensor."""
    history = task.history
    recent = slice(max(0, history.length - NATURE_DAYS * history.steps_per_day), history.length)
    values = history.filled[:, recent].double()
    raw = history.raw[:, recent].double()
    kind = task.live.seasonal.kind_of_day[recent].clamp_max(1)  # workday or not
    slot = kind * history.steps_per_day + history.slot[recent]
    if history.steps_per_day < 2:
        slot = history.weekday[recent]
    return Nature(
        _median(forecastable(values)), _median(explained(raw, slot)), _median(signal(raw))
    )


def forecastable(values: Tensor) -> Tensor:
    """(sensor,) 1 − entropy of the smoothed spectrum of `values` (sensor, time), 0 … 1."""
    length = values.shape[1]
    if length < 16:
        return torch.zeros(len(values))
    window = torch.hann_window(length, dtype=values.dtype)
    power = torch.fft.rfft((values - values.mean(1, keepdim=True)) * window).abs().square()[:, 1:]
    share = power / power.sum(1, keepdim=True).clamp_min(1e-300)
    # The periodogram of pure noise is itself ragged, and short of full entropy by 1 − γ.
    full = math.log(share.shape[1]) - (1 - 0.5772)
    entropy = -(share * share.clamp_min(1e-300).log()).sum(1)
    return (1 - entropy / full).clamp(0, 1)


def explained(values: Tensor, slot: Tensor) -> Tensor:
    """(sensor,) share of the variance of `values` (sensor, time) that means by slot explain.

    Each value is compared with the mean of the other values of its slot, so that many slots and few
    days explain nothing by chance.
    """
    known = ~values.isnan()
    around = (values - values.nanmean(1, keepdim=True)).nan_to_num(0.0)
    slots = int(slot.max()) + 1
    count = torch.zeros(len(values), slots).double().index_add(1, slot, known.double())
    total = torch.zeros(len(values), slots).double().index_add(1, slot, around)
    others = (count[:, slot] - 1).clamp_min(1)
    rest = around - (total[:, slot] - around) / others
    several = known & (count[:, slot] > 1)
    error = (rest.square() * several).sum(1)
    return (1 - error / (around.square() * several).sum(1).clamp_min(1e-300)).clamp(0, 1)


def signal(values: Tensor) -> Tensor:
    """(sensor,) variance over that of the noise in `values` (sensor, time), less 1.

    Noise is what a step differs from the mean of its neighbours (Gasser et al. 1986).
    """
    rough = values[:, 1:-1] - (values[:, :-2] + values[:, 2:]) / 2
    noise = rough.square().nanmean(1) / 1.5
    spread = (values - values.nanmean(1, keepdim=True)).square().nanmean(1)
    return (spread / noise.clamp_min(1e-12 * spread.clamp_min(1e-300)) - 1).clamp(0, 1e6)


def _median(values: Tensor) -> float:
    return float(values[values.isfinite()].median()) if values.isfinite().any() else 0.0
