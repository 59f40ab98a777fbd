"""How far a mixture is followed away from the pretrained forecast: as far as gains have repeated.

The weights of a stack are fitted, so what they gain where they were fitted is no proof. Here their
gains are those on folds left out of fitting, and only what exceeds a part of their standard error
counts. Between the pretrained forecast and the mixture lies a straight line; on it the gain falls
slower than the harm, so that half-way is a good place to be when in doubt.

Each sensor is judged by its own gains, drawn to those of all sensors as far as sensors are alike
(empirical Bayes: Efron and Morris 1975), so that one with few days is judged by the others' too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune._text import percent
from citytune.tuning.task._task import Task

DOUBT = 0.375
"""Standard errors that a gain must exceed, for each unit of caution …"""
FULL_GAIN = 0.03
"""… and by how much, as a share of the error, for the mixture to be followed all the way."""
MOST_DAILY_GAIN = 1.0
"""Most that one day's gain or loss counts, in units of the usual error: a sensor that broke tells
little of the days to come."""
MOST_DIFFERENCE = 0.1
"""Most that the gain of a sensor counts as different from that of all."""

EVERY = slice(None)
"""All steps ahead."""

MOSTLY = 0.995
"""Share from which nothing is noted of it."""


def gate(
    task: Task,
    forecasts: Tensor,
    unseen: Tensor,
    home: Tensor | None = None,
    steps: slice = EVERY,
) -> Tensor:
    """(sensor,) share of the way from the pretrained forecast to the mixture that is gone, 0 … 1.

    Args:
        task: What was learnt from.
        forecasts: (example, horizon) those of the mixture …
        unseen: (example,) bool, … and which of them its weights had not seen.
        home: (example, horizon) what it is followed away from, instead of the pretrained forecast.
        steps: Which steps ahead are judged.

    Returns:
        0 for all without a window that the weights had not seen.
    """
    home = task.forecast_of(task.prior) if home is None else home
    before, after = (((one - task.actual) / task.scale).abs() for one in (home, forecasts))
    found = Gains.of(task, before, after, unseen, steps=steps)
    return shares(found.by_sensor(), task.settings.caution)


def gate_share(task: Task, before: Tensor, after: Tensor, unseen: Tensor) -> float:
    """Share of the way that is gone from one forecast of the task's windows to another, 0 … 1.

    One share for all sensors, from what they gain together.

    Args:
        task: Whose windows they are.
        before: (example, horizon) the losses of the first, in spreads of the sensor; NaN where
            nothing was measured.
        after: The same of the second …
        unseen: (example,) bool, … and which of these windows it was not fitted on.
    """
    return float(shares(Gains.of(task, before, after, unseen).together, task.settings.caution))


def in_words(share: float, task: Task, unseen: Tensor) -> tuple[str, ...]:
    """Why the forecast does not go all the way, if it does not; `unseen` as for `gate`."""
    home = task.expert(task.prior).words
    if not unseen.any():
        found = f"{len(unseen)} windows over {task.days:.0f} days are too few to test fine-tuning"
        return (f"{found}, so the forecast is {home}; bring more history",)
    if share > MOSTLY:
        return ()
    if share < 1 - MOSTLY:
        return (f"fine-tuning did not improve the forecast reliably, so it is unchanged: {home}",)
    doubt = "fine-tuning improved the forecast on some days or sensors only"
    return (f"{doubt}, so the forecast goes {percent(share)} of the way there from {home}",)


class Estimate(NamedTuple):
    """A gain, as a share of the error, and its variance; of all sensors or of each one."""

    gain: Tensor
    variance: Tensor  # infinite where nothing is known


def shares(found: Estimate, caution: float = 1.0) -> Tensor:
    """How far to go for a gain: not at all for one within its doubt, all the way for a full one."""
    proven = found.variance.isfinite()
    if caution == 0:
        return proven.float()
    sure = found.gain - DOUBT * caution * found.variance.sqrt()
    share = (sure / (FULL_GAIN * caution)).clamp(0.0, 1.0)
    return share.where(proven, torch.zeros_like(share)).float()


class Gains(NamedTuple):
    """What was saved on every day of origins, of every sensor.

    Forecasts longer than a day share targets with those of the next day, so that many days count
    for fewer.
    """

    gain: Tensor  # (sensor, day) saved, as a share of the sensor's usual loss
    measured: Tensor  # (sensor, day) how many targets there were
    pooled: Tensor  # (sensor, day) how much they count for all sensors together
    recency: Tensor  # (day,)
    overlap: float  # days that share targets

    @classmethod
    def of(
        cls,
        task: Task,
        before: Tensor,
        after: Tensor,
        unseen: Tensor,
        recency: Tensor | None = None,
        steps: slice = EVERY,
    ) -> Gains:
        """From losses as for `gate_share`.

        Args:
            task: Whose windows they are.
            before: (example, horizon) …
            after: … and
            unseen: as there.
            recency: (example,) how much each window counts for its age; None is as the task says.
            steps: Which steps ahead are looked at.
        """
        days, block = task.day.unique(return_inverse=True)
        sensors = len(task.pool.voice)
        known = (task.known & unseen[:, None]).double()[:, steps]
        cell = task.windows.sensor * len(days) + block

        def by_cell(values: Tensor) -> Tensor:
            total = torch.zeros(sensors * len(days), dtype=torch.float64)
            return total.index_add(0, cell, values).view(sensors, len(days))

        count = by_cell(known.sum(1))
        lost, left = (
            by_cell((loss[:, steps].double().nan_to_num(0.0) * known).sum(1)) / count.clamp_min(1)
            for loss in (before, after)
        )
        there = by_cell(known.amax(1))
        recency = task.recency if recency is None else recency
        recency = by_cell(recency * known.amax(1)).sum(0) / there.sum(0).clamp_min(1)
        usual = _mean(lost, _weights(count, recency))[:, None].clamp_min(1e-9)
        gain = ((lost - left) / usual).clamp(-MOST_DAILY_GAIN, MOST_DAILY_GAIN)
        pooled = by_cell(task.pool.weight * known.sum(1))
        overlap = max(1.0, task.spec.horizon / task.history.steps_per_day)
        return cls(gain, count, pooled, recency, overlap)

    @property
    def day(self) -> Tensor:
        """(day,) gain of all sensors together."""
        return (self.pooled * self.gain).sum(0) / self.pooled.sum(0).clamp_min(1e-12)

    @property
    def together(self) -> Estimate:
        """The gain of all sensors."""
        found = self._estimate(self.day[None], self.pooled.sum(0, keepdim=True))
        return Estimate(found.gain[0], found.variance[0])

    def by_sensor(self) -> Estimate:
        """(sensor,) gains: that of all, and of what a sensor's own differs as much as is no chance.

        The difference is taken day by day, so that what a day did to all sensors is no part of it.
        Sensors differ as much as their differences exceed chance. One that loses by more than
        that is believed at once: the promise is made to every sensor.
        """
        all_, own = self.together, self._estimate(self.gain - self.day, self.measured)
        known = own.variance.isfinite()
        own = Estimate(*(part.where(known, torch.zeros_like(part)) for part in own))
        beyond = own.gain.square().clamp_max(MOST_DIFFERENCE**2) - own.variance  # chance
        voice = self.pooled.sum(1) * known
        between = ((voice * beyond).sum() / voice.sum().clamp_min(1e-12)).clamp_min(0.0)
        spread = torch.where(own.gain < 0, beyond.clamp_min(between), between)
        part = spread / (spread + own.variance).clamp_min(1e-12)
        return Estimate(all_.gain + part * own.gain, all_.variance + part * own.variance)

    def _estimate(self, gain: Tensor, count: Tensor) -> Estimate:
        """(row,) means of gains (row, day) and their variances."""
        weight = _weights(count, self.recency)
        mean = _mean(gain, weight)
        some = weight.square().sum(1)
        independent = (1 / some.clamp_min(1e-12) / self.overlap).clamp_min(1.5)
        variance = _mean((gain - mean[:, None]).square(), weight) / (independent - 1)
        return Estimate(mean, variance.where(some > 0, torch.inf))


def _weights(count: Tensor, recency: Tensor) -> Tensor:
    """(row, day) how much each day counts, with a sum of 1: less where less was measured."""
    usual = count.where(count > 0, torch.nan).nanmedian(1, keepdim=True).values
    weight = recency * (count / usual).nan_to_num(0.0).clamp_max(1.0)
    return weight / weight.sum(1, keepdim=True).clamp_min(1e-12)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """(row,) weighted mean over days."""
    return (weight * values).sum(1)
