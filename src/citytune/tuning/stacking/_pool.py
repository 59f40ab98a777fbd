"""How much each sensor and each window counts in what all sensors share.

What sensors share (weights, λ, the choice of a rule, the pooled gain) is learnt from all of them,
so that a city with few days has something to learn from. A sensor that nothing can forecast teaches
the others only its noise, one whose experts rank unlike those of the others nothing that holds for
them, a copy nothing new, and a week in which a sensor is broken nothing of other weeks. They count
for next to nothing there, and so cannot spoil the others.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune.windows import evenly

FIRST_BAND_STEPS = 6
"""Steps ahead that are judged apart: much of air quality can be forecast no further."""
HALF_SKILL = 0.1
"""Share of the error of a constant that the best expert saves, at which a sensor counts half."""
UNLIKE = 2.5
"""Distance from the others, in units of the usual one, at which a sensor counts half."""
LEAST_DISTANCE = 0.03
"""Relative error that is no difference between sensors."""
ITERATIONS = 32
"""Steps to the median of all sensors."""
UNUSUAL = 3.0
"""Error of a window, in units of its sensor's median window, at which it counts half."""
STEEPNESS = 4
"""How sharply what counts falls on both sides of one half."""
LEAST_VOICE = 1e-3
"""What every sensor counts at least: a city may have none that can be forecast …"""
NO_VOICE = 1e-6
"""… but for copies, and for sensors that never change."""
COPY = 0.5
"""Share of what two sensors measured from which they are one and the same, if they agree on it …"""
AGREE = 1e-3
"""… within this share of the larger one."""
COMPARED_STEPS, COMPARED_SENSORS = 256, 128
"""Most steps and sensors among which copies are looked for; among more, one does not decide."""


class Pool(NamedTuple):
    """What counts in what all sensors share."""

    voice: Tensor  # (sensor,) > 0, about 1 for a sensor like others
    weight: Tensor  # (example,) > 0, its sensor's voice, less where the window is unlike others

    @classmethod
    def of(cls, forecasts: Tensor, actual: Tensor, windows: PoolWindows) -> Pool:
        """Judge sensors and windows by the errors of experts that need no fitting.

        Args:
            forecasts: (example, horizon, expert).
            actual: (example, horizon), in the same unit; NaN is missing.
            windows: Whose they are.
        """
        errors = (forecasts - actual[..., None]).abs()
        constant = (actual - _medians(actual, windows)[windows.sensor, None]).abs()
        bands = slice(FIRST_BAND_STEPS), slice(FIRST_BAND_STEPS, None)
        parts = [band for band in bands if actual[:, band].numel()]
        found = torch.stack([_means(errors[:, part], windows) for part in parts], -1)
        usual = torch.stack([_means(constant[:, part, None], windows) for part in parts], -1)
        silent = _copies(actual, windows) | (usual <= 0).all(-1)[:, 0]
        voice = _skilled(found, usual).clamp_min(LEAST_VOICE).masked_fill(silent, NO_VOICE)
        voice = (voice * _like_others(found, voice)).clamp_min(NO_VOICE)
        return cls(voice, voice[windows.sensor] * _usual(errors.nanmedian(-1).values, windows))


class PoolWindows(NamedTuple):
    """Which windows of which sensors there are."""

    sensor: Tensor  # (example,) long
    origin: Tensor  # (example,) long
    sensors: int


def _skilled(errors: Tensor, constant: Tensor) -> Tensor:
    """(sensor,) 0 for one of which nothing can be forecast, up to 1.

    Args:
        errors: (sensor, expert, part) mean errors of the experts …
        constant: (sensor, 1, part) … and of a constant.
    """
    skill = (1 - errors / constant).nan_to_num(0.0, neginf=0.0).amax((1, 2)).clamp_min(0.0)
    return 1 - _falling(skill / HALF_SKILL)


def _like_others(errors: Tensor, voice: Tensor) -> Tensor:
    """(sensor,) 1 for one whose experts rank as those of the others, less where they do not.

    The others are seen from their geometric median (Weiszfeld 1937), which one of them hardly
    moves.

    Args:
        errors: (sensor, expert, part) mean errors; how large they all are is no matter.
        voice: (sensor,) how much each one counts for the median.
    """
    profile = errors.clamp_min(1e-12).log()
    profile = (profile - profile.mean(1, keepdim=True)).flatten(1).nan_to_num(0.0)
    share = (voice / voice.sum()).double()[:, None]
    pull = share
    for _ in range(ITERATIONS):
        centre = (pull * profile).sum(0) / pull.sum()
        square = (profile - centre).square().mean(1, keepdim=True)
        distance = (square + LEAST_DISTANCE**2).sqrt()
        pull = share / distance
    usual = (share * distance.log()).sum().exp()
    return _falling(distance[:, 0] / usual / UNLIKE)


def _falling(ratio: Tensor) -> Tensor:
    """1 at 0, half at 1, next to 0 at a few."""
    return (1 / (1 + ratio**STEEPNESS)).float()


def _usual(error: Tensor, windows: PoolWindows) -> Tensor:
    """(example,) 1 for a window with errors (example, horizon) as usual, less for a larger one."""
    found = error.double().nanmean(1)
    usual = _medians(found[:, None], windows)[windows.sensor]
    ratio = (found / usual.clamp_min(1e-12)).nan_to_num(0.0)
    return _falling(ratio / UNUSUAL).clamp_min(LEAST_VOICE)


def _means(values: Tensor, windows: PoolWindows) -> Tensor:
    """(sensor, expert) mean of what is known of (example, horizon, expert); NaN of nothing."""
    known = ~values.isnan()
    total, count = (
        part.new_zeros(windows.sensors, part.shape[1]).index_add(0, windows.sensor, part)
        for part in (values.nan_to_num(0.0).double().sum(1), known.double().sum(1))
    )
    return total / count


def _medians(values: Tensor, windows: PoolWindows) -> Tensor:
    """(sensor,) median of what is known of values (example, horizon); NaN of nothing."""
    found = torch.full((windows.sensors,), torch.nan, dtype=values.dtype)
    order = windows.sensor.argsort(stable=True)
    some, counts = windows.sensor[order].unique_consecutive(return_counts=True)
    for sensor, rows in zip(some.tolist(), order.split(counts.tolist()), strict=True):
        found[sensor] = values[rows].nanmedian()
    return found


def _copies(actual: Tensor, windows: PoolWindows) -> Tensor:
    """(sensor,) bool: whether an earlier sensor measured mostly the same, in whatever unit."""
    found = torch.zeros(windows.sensors, dtype=torch.bool)
    if windows.sensors > COMPARED_SENSORS or not len(actual):
        return found
    table = _measured(actual, windows)
    for sensor in range(1, windows.sensors):
        one, others = table[sensor], table[:sensor]
        known = ~(one.isnan() | others.isnan()) & ((one != 0) | (others != 0))
        ratio = (one / others).where(known, torch.nan).nanmedian(1, keepdim=True).values
        size = torch.maximum(one.abs(), (ratio * others).abs())
        agree = known & ((one - ratio * others).abs() <= AGREE * size)
        found[sensor] = (agree.sum(1) > COPY * known.sum(1)).any()
    return found


def _measured(actual: Tensor, windows: PoolWindows) -> Tensor:
    """(sensor, step) what was measured at some steps, evenly spread; NaN is missing."""
    when = windows.origin[:, None] - windows.origin.min() + torch.arange(actual.shape[1])
    steps = int(when.max()) + 1
    table = torch.full((windows.sensors, steps), torch.nan, dtype=torch.float64)
    table[windows.sensor[:, None].expand_as(when), when] = actual.double()
    return table[:, evenly(steps, COMPARED_STEPS)]
