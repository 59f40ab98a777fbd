"""How far a mixture is followed away from the pretrained forecast: as far as gains have repeated.

The weights of a stack are fitted, so what they gain where they were fitted is no proof. Here their
gains are those on folds left out of fitting, and only what exceeds a part of their standard error
counts. Between the pretrained forecast and the mixture lies a straight line; on it the gain falls
slower than the harm, so that half-way is a good place to be when in doubt.
"""

from __future__ import annotations

import torch
from torch import Tensor

from citytune._text import percent
from citytune.tuning._task import Task

DOUBT = 0.375
"""Standard errors that a gain must exceed, for each unit of caution …"""
FULL_GAIN = 0.03
"""… and by how much, as a share of the error, for the mixture to be followed all the way."""
MOST_DAILY_GAIN = 1.0
"""Most that one day's gain or loss counts, in units of the usual error: a sensor that broke says
little of the days to come."""

MOSTLY = 0.995
"""Trust from which nothing is said of it."""


def gate(task: Task, says: Tensor, unseen: Tensor) -> float:
    """Share of the way from the pretrained forecast to the mixture that is gone, 0 … 1.

    Args:
        task: What was learnt from.
        says: (example, horizon) the mixture's forecasts …
        unseen: (example,) bool, … and which of them its weights had not seen.

    Returns:
        0 without a window that the weights had not seen.
    """
    home, there = task.forecast_of(task.prior), says
    before, after = (((one - task.actual) / task.scale).abs() for one in (home, there))
    return gate_share(task, before, after, unseen)


def gate_share(task: Task, before: Tensor, after: Tensor, unseen: Tensor) -> float:
    """Share of the way that is gone from one forecast of the task's windows to another.

    Args:
        task: Whose windows they are.
        before: (example, horizon) the losses of the first, in spreads of the sensor; NaN where
            nothing was measured.
        after: The same of the second …
        unseen: (example,) bool, … and which of these windows it had not seen.
    """
    if not unseen.any():
        return 0.0
    caution = task.settings.caution
    if caution == 0:
        return 1.0
    gain, error = _gain(task, before, after, unseen)
    sure = gain - DOUBT * caution * error
    return min(1.0, max(0.0, sure / (FULL_GAIN * caution)))


def in_words(trust: float, task: Task, unseen: Tensor) -> tuple[str, ...]:
    """Why the forecast does not go all the way, if it does not; `unseen` as for `gate`."""
    home = task.expert(task.prior).words
    if not unseen.any():
        found = f"{len(unseen)} windows over {task.days:.0f} days are too few to test fine-tuning"
        return (f"{found}, so the forecast is {home}; bring more history",)
    if trust > MOSTLY:
        return ()
    if trust < 1 - MOSTLY:
        return (f"fine-tuning did not improve the forecast reliably, so it is unchanged: {home}",)
    doubt = "fine-tuning improved the forecast on some days only"
    return (f"{doubt}, so the forecast goes {percent(trust)} of the way there from {home}",)


def _gain(task: Task, before: Tensor, after: Tensor, unseen: Tensor) -> tuple[float, float]:
    """Share of the loss `before` that is saved, and a standard error of it.

    Both over days of origins. Forecasts longer than a day share targets with those of the next
    day, so that many days count for fewer.
    """
    known = task.known & unseen[:, None]
    days, block = task.day.unique(return_inverse=True)

    def by_day(values: Tensor) -> Tensor:
        return torch.zeros(len(days), dtype=torch.float64).index_add(0, block, values)

    count = by_day(known.double().sum(1))
    some = count > 0
    if not some.any():
        return 0.0, 0.0
    count = count[some]
    lost, left = (
        by_day((loss.nan_to_num(0.0) * known).double().sum(1))[some] / count
        for loss in (before, after)
    )
    recency = (
        by_day(task.recency.double() * known.any(1))[some] / by_day(known.any(1).double())[some]
    )
    weight = recency * (count / count.median()).clamp_max(1.0)
    weight = weight / weight.sum()
    usual = (weight * lost).sum().clamp_min(1e-9)
    gain = ((lost - left) / usual).clamp(-MOST_DAILY_GAIN, MOST_DAILY_GAIN)
    mean = (weight * gain).sum()
    overlap = max(1.0, task.spec.horizon / task.history.steps_per_day)
    independent = max(1 / float(weight.square().sum()) / overlap, 1.5)
    spread = (weight * (gain - mean).square()).sum()
    return float(mean), float((spread / (independent - 1)).sqrt())
