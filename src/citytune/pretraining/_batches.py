"""Windows drawn at random from a corpus, batch by batch; none is ever laid out beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones import Past
from citytune.backbones.city import PATCH, ROWS, period_of
from citytune.pretraining._augment import hide, vary
from citytune.pretraining._source import Source
from citytune.pretraining._synthetic import synthesise

CLOCKS: dict[int, float] = {24: 10, 48: 3, 96: 3, 144: 1, 288: 3, 72: 0.5, 12: 0.5, 8: 1, 1: 1}
"""Steps a day → how often a batch is on that clock; clocks no set has are left to synthesis."""
REACHES: dict[int, dict[int, float]] = {
    24: {3: 6, 6: 2, 12: 1, 21: 0.7, 42: 0.3},
    48: {6: 4, 3: 1, 12: 1},
    96: {12: 3, 2: 2, 24: 0.5},
    144: {18: 2, 2: 2},
    288: {36: 1, 3: 2},
    72: {9: 2, 3: 1},
    12: {2: 1, 4: 1},
    8: {1: 1, 3: 1, 7: 1},
    1: {1: 2, 2: 1, 4: 1},
}
"""Steps a day → patches ahead → how often."""
SCARCE = 0.35
"""A set is drawn in proportion to this power of its measured values."""
LEAST_TARGETS = 4
"""Values under which a past shows nothing."""
BLIND, NO_HOLIDAYS = 0.06, 0.25
"""Shares of windows shown without any calendar, and without holidays."""
MIXED = 0.15
"""Share of windows mixed with another sensor of the same set at the same time."""
FARTHEST = 8.0
"""Targets further than this many spreads from the window's mean are left out: faults, mostly."""


class Batch(NamedTuple):
    """Windows to learn from, in units of their own spread."""

    past: Past
    future: Tensor  # (example, horizon); NaN is missing


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws batches; the same seed and step draw the same batch, so that a run can go on."""

    sources: Sequence[Source]
    seed: int = 0
    synthetic: float = 0.2
    """Share of batches of synthetic series."""
    tokens: int = 4096
    """Size of a batch: examples times tokens, so that long horizons come in smaller batches."""
    values: int = 1_200_000
    """Most values of a batch, so that fine clocks come in smaller batches."""
    weights: Mapping[str, float] | None = None
    """Set → how often it is drawn, against 1 of the others of its domain."""
    varied: bool = True
    """Whether windows are changed at random, apart from being drawn at random."""

    def batch(self, step: int) -> Batch:
        """The batch of a step of training."""
        chance = generator(self.seed, step)
        steps_per_day = _pick(self._clocks(), chance)
        patches = _pick(REACHES[steps_per_day], chance)
        group = [one for one in self.sources if one.steps_per_day == steps_per_day]
        invent = float(torch.rand((), generator=chance)) < self.synthetic
        context, horizon = ROWS * period_of(steps_per_day), patches * PATCH
        count = max(16, min(self.tokens // (12 + patches), self.values // (context + horizon)))
        if group and not invent:
            drawn = self._draw(group, count, context, horizon, chance)
            batch = self._finish(*drawn, context, steps_per_day, chance)
            if len(batch.future):  # else nothing was measured in any of the windows
                return batch
        made = synthesise(count, context, horizon, steps_per_day, chance)
        return self._finish(*made, context, steps_per_day, chance)

    def _clocks(self) -> dict[int, float]:
        there = {one.steps_per_day for one in self.sources}
        return {c: w for c, w in CLOCKS.items() if c in there or self.synthetic}

    def _draw(
        self,
        group: Sequence[Source],
        count: int,
        context: int,
        horizon: int,
        chance: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Windows (example, time) and their calendars (example, time, 3), set by set."""
        weight = torch.tensor(_weights(group, self.weights or {}), dtype=torch.float64)
        chosen = torch.multinomial(weight, count, replacement=True, generator=chance)
        parts = []
        for index in chosen.unique().tolist():
            some = int((chosen == index).sum())
            parts.append(cut(group[index], some, context, horizon, chance))
        return torch.cat([values for values, _ in parts]), torch.cat([cal for _, cal in parts])

    def _finish(
        self,
        windows: Tensor,
        calendar: Tensor,
        context: int,
        steps_per_day: int,
        chance: torch.Generator,
    ) -> Batch:
        if self.varied:
            windows = scaled(windows, context)
            vary(windows, context, chance)
            hide(windows, context, period_of(steps_per_day), chance)
            calendar = _forget(calendar, chance)
        windows = scaled(windows, context)
        past, future = windows[:, :context], windows[:, context:]
        future = future.masked_fill(future.abs() > FARTHEST, torch.nan)
        known = past.isfinite()
        kept = future.isfinite().any(1) & (known.sum(1) > LEAST_TARGETS)
        shown = Past(past[kept].nan_to_num_(0.0), known[kept], calendar[kept], steps_per_day)
        return Batch(shown, future[kept])


def generator(seed: int, step: int) -> torch.Generator:
    """Chance of one step, the same on every machine."""
    digest = hashlib.sha256(f"{seed}/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def cut(
    source: Source, count: int, context: int, horizon: int, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`count` random windows (example, time) of a set, some mixed, and their calendars.

    What lies before the set's first step is NaN.
    """
    sensors, length = source.values.shape
    first = min(context, max(3 * period_of(source.steps_per_day), length // 4))
    origin = torch.randint(first, max(first + 1, length - horizon + 1), (count,), generator=chance)
    sensor = torch.randint(sensors, (count,), generator=chance)
    windows = windows_at(source, sensor, origin, context, horizon)
    mixed = (torch.rand(count, generator=chance) < MIXED).nonzero().squeeze(1)
    if sensors > 1 and len(mixed):
        other = torch.randint(sensors, (len(mixed),), generator=chance)
        second = windows_at(source, other, origin[mixed], context, horizon)
        share = torch.rand((len(mixed), 1), generator=chance)
        one, two = scaled(windows[mixed], context), scaled(second, context)
        windows[mixed] = share * one + (1 - share) * two
    return windows, calendar_at(source, origin, context, horizon)


def windows_at(
    source: Source, sensor: Tensor, origin: Tensor, context: int, horizon: int
) -> Tensor:
    """Windows (example, context + horizon) of a set; NaN beyond its ends."""
    when = origin[:, None] + torch.arange(-context, horizon)
    outside = (when < 0) | (when >= source.length)
    values = torch.from_numpy(source.values)[sensor[:, None], when.clamp(0, source.length - 1)]
    return values.masked_fill(outside, torch.nan)


def calendar_at(source: Source, origin: Tensor, context: int, horizon: int) -> Tensor:
    """Calendars (example, context + horizon, 3) of windows of a set."""
    when = (origin[:, None] + torch.arange(-context, horizon)).clamp(0, source.length - 1)
    parts = (source.share, source.weekday, source.holiday)
    return torch.stack([torch.from_numpy(part)[when].float() for part in parts], -1)


def scaled(windows: Tensor, context: int) -> Tensor:
    """Windows (example, time) around the mean of their past, in units of its spread."""
    past = windows[:, :context]
    known = past.isfinite()
    count = known.sum(1, keepdim=True).clamp_min(1)
    level = past.nansum(1, keepdim=True) / count
    around = (past - level).nan_to_num_(0.0)
    spread = (around.square().sum(1, keepdim=True) / count).sqrt()
    flat = spread <= 1e-6 * level.abs() + 1e-30
    return (windows - level) / torch.where(flat, torch.ones_like(spread), spread)


def _forget(calendar: Tensor, chance: torch.Generator) -> Tensor:
    count = len(calendar)
    blind = torch.rand((count, 1, 1), generator=chance) < BLIND
    plain = torch.rand((count, 1, 1), generator=chance) < NO_HOLIDAYS
    calendar = calendar.masked_fill(blind, 0.0)
    holiday = calendar[..., 2:].masked_fill(plain, 0.0)
    return torch.cat([calendar[..., :2], holiday], -1)


def _weights(group: Sequence[Source], weights: Mapping[str, float]) -> list[float]:
    """How often each set of a clock is drawn: domains alike, and within them by size, tamed."""
    size = [weights.get(one.name, 1.0) * (one.values.size**SCARCE) for one in group]
    total = {one.domain: 0.0 for one in group}
    for one, share in zip(group, size, strict=True):
        total[one.domain] += share
    return [share / total[one.domain] for one, share in zip(group, size, strict=True)]


def _pick(choices: Mapping[int, float], chance: torch.Generator) -> int:
    keys = list(choices)
    weights = torch.tensor([choices[key] for key in keys], dtype=torch.float64)
    return keys[int(torch.multinomial(weights, 1, generator=chance))]
