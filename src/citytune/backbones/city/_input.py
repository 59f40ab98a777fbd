"""What `citytune-base` sees of a window: everything that can be computed without weights.

A window is cut, counted back from the first step ahead, into rows of one period (a day, or a week
on a clock too coarse to show a day). The far past is seen condensed, the last steps as they are,
and every patch ahead next to the same slots of all the rows before it.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, one_hot, pad

from citytune._graph import exporting
from citytune.backbones._protocol import COARSE, Past

PATCH = 8
"""Steps of a patch."""
ROWS = 28
"""Periods of past: days, or weeks on a coarse clock."""
ROW_POINTS = 24
"""Points of a condensed row."""
RECENT = 64
"""Last steps seen as they are."""
LAGS = (1, 7, 14, 21, 28)
"""Rows ago whose slots are read one by one; later where the horizon is longer than a row."""
RELATION = 14
"""Numbers that tell how a candidate is related to the patch it may stand for."""
WHEN = 7 * PATCH + 7 + 4
"""Numbers that tell when a patch is."""
CLOCK = 12
"""Numbers that tell the clock and the moment of the forecast."""


class CityInput(NamedTuple):
    """A batch of windows in units of their own spread; 0 where nothing was measured."""

    weeks: Tensor  # (example, 4, 7 rows · 24 · 2): condensed rows, and how much was measured
    recent: Tensor  # (example, 8, 4 · PATCH + 10): last steps, deviation from like steps, calendar
    when: Tensor  # (example, patch, WHEN): the calendar of each patch ahead
    clock: Tensor  # (example, CLOCK): clock and moment of the forecast
    lags: Tensor  # (example, patch, 2 · len(LAGS) · PATCH): aligned values, and whether measured
    candidates: Tensor  # (example, patch, row, PATCH): the same slots of every row
    known: Tensor  # (example, patch, row, PATCH): 1 where measured
    relation: Tensor  # (example, patch, row, RELATION)
    shift: Tensor  # (example, patch, row): how far the level now is above the level then
    level: Tensor  # (example, 1) float64, in the unit of the data
    spread: Tensor  # (example, 1) float64, in the unit of the data


def period_of(steps_per_day: int) -> int:
    """Steps of a row: a day, or a week where a day has too few steps to show."""
    return steps_per_day if steps_per_day >= COARSE else 7 * steps_per_day


def look(past: Past, horizon: int) -> CityInput:
    """Everything the network is told about a batch of windows and `horizon` steps ahead.

    Raises:
        ValueError: a value is NaN or infinite; `measured` is the place to say so.
    """
    period = period_of(past.steps_per_day)
    context, patches = ROWS * period, -(-horizon // PATCH)
    known = _fit(past.measured.float(), context)
    scaled, level, spread = _standardise(_fit(past.values, context), known)
    calendar = _fit_calendar(past, context, patches * PATCH)
    share, weekday, holiday = calendar.unbind(-1)
    rest = ((weekday >= 5) | (holiday > 0)).float()

    rows = scaled.unflatten(1, (ROWS, period))
    measured = known.unflatten(1, (ROWS, period))
    weight = adaptive_avg_pool1d(measured, ROW_POINTS)
    condensed = adaptive_avg_pool1d(rows, ROW_POINTS) / weight.clamp_min(1e-6)
    weeks = torch.stack([condensed, weight], 2).unflatten(1, (4, 7)).flatten(2)

    places = _places(period, patches)
    ago = places.ago  # (patch, row), in rows
    inside = (places.step >= 0).float()
    step = places.step.clamp_min(0)
    candidates, seen = scaled[:, step], known[:, step] * inside
    middle = step[..., PATCH // 2]
    target = context + torch.arange(patches) * PATCH + PATCH // 2
    lags = candidates[:, :, places.lag], seen[:, :, places.lag]

    row = (ROWS - ago).clamp(0, ROWS - 1)
    mean = rows.sum(-1) / measured.sum(-1).clamp_min(1)  # (example, row)
    span = max(2, period // 12)
    ends = _ending(scaled, period, span) / _ending(known, period, span).clamp_min(1e-6)
    now, then = ends[:, -1:, None], ends[:, row]  # row r begins where end r lies
    shift = now - then

    same = (weekday[:, middle] == weekday[:, target, None]).float()
    rests, resting = rest[:, middle], rest[:, target, None].expand_as(shift)
    relation = torch.stack(
        [
            same,
            (rests == resting).float(),
            rests,
            resting,
            holiday[:, middle],
            holiday[:, target, None].expand_as(shift),
            seen.mean(-1),
            mean[:, row],
            then,
            shift,
            *(part.expand_as(shift) for part in places.age),
        ],
        -1,
    )
    return CityInput(
        weeks=weeks,
        recent=_recent(scaled, known, share, weekday, rest, period),
        when=_when(share, weekday, holiday, rest, context, patches, period),
        clock=_clock(share, weekday, holiday, context, past.steps_per_day, known),
        lags=torch.cat([lags[0].flatten(2), lags[1].flatten(2)], -1),
        candidates=candidates * seen,
        known=seen,
        relation=relation,
        shift=shift,
        level=level,
        spread=spread,
    )


class _Places(NamedTuple):
    step: Tensor  # (patch, row, PATCH) long: where in the past; negative before its start
    ago: Tensor  # (patch, row) long: rows ago
    age: tuple[Tensor, ...]  # (patch, row) each: how old, in four ways
    lag: Tensor  # (len(LAGS),) long: which candidates are the lags


@functools.lru_cache(maxsize=64)
def _places(period: int, patches: int) -> _Places:
    ahead = torch.arange(patches * PATCH).view(patches, 1, PATCH)
    rows = torch.arange(1, ROWS + 1)
    ago = rows + ahead[:, :, -1] // period  # the last step of a patch decides for all of it
    step = ROWS * period + ahead - ago[..., None] * period
    age = (ago / ROWS, 1 / ago, (ago % 7 == 0).float(), (ago > ROWS).float())
    return _Places(step, ago, age, torch.tensor(LAGS) - 1)


def _fit(series: Tensor, context: int) -> Tensor:
    return pad(series, (max(0, context - series.shape[1]), 0))[:, -context:]


def _fit_calendar(past: Past, context: int, ahead: int) -> Tensor:
    """(example, context + ahead, 3), whatever the window's own length and horizon."""
    seen = past.values.shape[1]
    before = past.calendar[:, :seen].transpose(1, 2)
    after = past.calendar[:, seen : seen + ahead].transpose(1, 2)
    before = pad(before, (max(0, context - seen), 0))[..., -context:]
    after = (
        pad(after, (0, ahead - after.shape[2]), mode="replicate")
        if after.shape[2]
        else (before[..., -1:].expand(-1, -1, ahead))
    )
    return torch.cat([before, after], 2).transpose(1, 2)


def _standardise(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Windows around the mean of what was measured, by its spread; 0 where nothing was.

    A constant has no unit to be unsure in: its spread is 0, and its forecast the constant.
    """
    exact = values.double()
    if not exporting() and not bool(exact.isfinite().all()):
        raise ValueError("a window holds NaN or infinite values; fill its gaps before showing it")
    weight = known.double()
    count = weight.sum(1, keepdim=True).clamp_min(1)
    level = (exact * weight).sum(1, keepdim=True) / count
    around = (exact - level) * weight
    spread = (around.square().sum(1, keepdim=True) / count).sqrt()
    flat = spread <= 1e-6 * (exact * weight).abs().amax(1, keepdim=True)
    scaled = torch.where(flat, 0.0, around / torch.where(flat, 1.0, spread))
    return scaled.float(), level, torch.where(flat, 0.0, spread)


def _ending(series: Tensor, period: int, span: int) -> Tensor:
    """Means (example, ROWS + 1) of the `span` steps before the start of every row, and now."""
    padded = pad(series, (span, 0)).cumsum(1, dtype=torch.float64)
    at = torch.arange(ROWS + 1) * period + span - 1
    return ((padded[:, at] - pad(padded, (1, 0))[:, at - span + 1]) / span).float()


def _recent(
    scaled: Tensor, known: Tensor, share: Tensor, weekday: Tensor, rest: Tensor, period: int
) -> Tensor:
    steps = torch.arange(scaled.shape[1] - RECENT, scaled.shape[1])
    parts = [scaled[:, steps], known[:, steps]]
    for every, count in ((period, 7), (7 * period, 3)):
        like = steps - every * torch.arange(1, count + 1)[:, None]
        there = (like >= 0).float()
        like = like.clamp_min(0)
        weight = (known[:, like] * there).sum(1)
        usual = (scaled[:, like] * there).sum(1) / weight.clamp_min(1)
        parts.append((parts[0] - usual) * parts[1] * (weight > 0))
    patches = [part.unflatten(1, (-1, PATCH)) for part in parts]
    middle = steps[PATCH // 2 :: PATCH]
    turn = 2 * math.pi * share[:, middle]
    day = one_hot(weekday[:, middle].long(), 7).float()
    moment = [turn.sin()[..., None], turn.cos()[..., None], day, rest[:, middle, None]]
    return torch.cat([*patches, *moment], -1)


def _when(
    share: Tensor,
    weekday: Tensor,
    holiday: Tensor,
    rest: Tensor,
    context: int,
    patches: int,
    period: int,
) -> Tensor:
    def ahead(part: Tensor) -> Tensor:
        return part[:, context:].unflatten(1, (patches, PATCH))

    turn = 2 * math.pi * ahead(share)
    waves = [turn.sin(), turn.cos(), (2 * turn).sin(), (2 * turn).cos(), (3 * turn).sin()]
    day = one_hot(ahead(weekday)[..., PATCH // 2].long(), 7).float()
    far = (torch.arange(patches) * PATCH + PATCH / 2).expand(share.shape[0], -1)
    distance = [far / (7 * period), (far / period).log1p(), far.log1p() / 6, (-far / period).exp()]
    calendar = [*waves, ahead(rest), ahead(holiday), day]
    return torch.cat([*calendar, torch.stack(distance, -1)], -1)


def _clock(
    share: Tensor,
    weekday: Tensor,
    holiday: Tensor,
    context: int,
    steps_per_day: int,
    known: Tensor,
) -> Tensor:
    turn = 2 * math.pi * share[:, context]
    day = one_hot(weekday[:, context].long(), 7).float()
    fine = torch.full_like(turn, math.log2(steps_per_day / 24) / 4)
    full = known.mean(1)
    return torch.cat(
        [torch.stack([turn.sin(), turn.cos(), fine, full, holiday[:, context]], -1), day], -1
    )
