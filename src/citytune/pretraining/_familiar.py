"""What a corpus looks like to the network that learnt from it: numbers to keep next to its card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from citytune.backbones import Familiar, Past, daily_share
from citytune.backbones.city import ROWS, CityBackbone, period_of
from citytune.pretraining._batches import CLOCKS, LEAST_TARGETS, calendar_at, generator, windows_at
from citytune.pretraining._source import Source

WINDOWS = 60
"""Most of a set on one of its clocks that are looked at."""
FEWEST_SERIES = 30
"""Windows under which their mean and variance say nothing."""


def familiar_with(
    backbone: CityBackbone, sources: Sequence[Source], clocks: Iterable[str]
) -> Familiar | None:
    """Look at some windows of every set, on every clock that it was shown on.

    Args:
        backbone: Whose features describe them.
        sources: What it was trained on.
        clocks: The names of these clocks, such as "15min".

    Returns:
        None if too little was measured to say anything.
    """
    features, daily = [], []
    for past in (past for source in sources for past in _windows(source)):
        features.append(backbone.features(past))
        daily.append(daily_share(past.values, past.steps_per_day))
    if sum(map(len, features)) < FEWEST_SERIES:
        return None
    return Familiar.of(torch.cat(features), torch.cat(daily), clocks)


def _windows(source: Source) -> Iterator[Past]:
    """Windows of a set, drawn at random; none of a clock that nothing is learnt from."""
    if source.steps_per_day not in CLOCKS:
        return
    period = period_of(source.steps_per_day)
    context, chance = ROWS * period, generator(0, 0)
    first, last = min(context, source.length // 2), source.length - period
    origin = torch.randint(first, max(first + 1, last), (WINDOWS,), generator=chance)
    sensor = torch.randint(len(source.values), (WINDOWS,), generator=chance)
    values = windows_at(source, sensor, origin, context, 0)
    known = values.isfinite()
    kept = known.sum(1) > LEAST_TARGETS
    if not kept.any():
        return
    calendar = calendar_at(source, origin, context, period)[kept]
    filled = _filled(values[kept], period)
    yield Past(filled, known[kept], calendar, source.steps_per_day)


def _filled(values: Tensor, period: int) -> Tensor:
    """Gaps filled by the value a day earlier, as when tuning; by the mean before the first."""
    days = values.unflatten(1, (-1, period)).unbind(1)
    last = values.nanmean(1, keepdim=True).expand(-1, period)
    found = []
    for day in days:
        last = day.where(day.isfinite(), last)
        found.append(last)
    return torch.cat(found, 1)
