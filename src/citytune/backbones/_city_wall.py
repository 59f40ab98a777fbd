"""Windows across a clock change, laid out so that a row ago is the same time of day."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones._protocol import Past

FEWEST = 24
"""Steps a day from which an hour more or less can be seen at all."""
MOST = 1 / 8
"""Share of a day by which clocks change at most."""


class Straight(NamedTuple):
    """Windows by the clock on the wall."""

    past: Past  # its calendar reaches as far ahead as `at` needs
    at: Tensor | None  # (example, horizon) long: each step's place ahead by the wall; None: its own


def straighten(past: Past, horizon: int) -> Straight:
    """Lay out windows in which the clocks change, in context or horizon, by the clock on the wall.

    Seen from the origin, a skipped hour becomes one that was not measured, and of an hour that came
    twice the later one counts. Windows without a change, and those of an unknown calendar, stay.
    """
    context, steps = past.values.shape[1], past.steps_per_day
    wall = _wall(past, context) if steps >= FEWEST and past.calendar.shape[1] > context else None
    if wall is None:
        return Straight(past, None)
    ahead = wall[:, context : context + horizon].clamp_min(0)
    reach = int(ahead.max()) + 1
    found = _latest(wall, context, reach)
    there = found >= 0
    source = found.clamp_min(0)
    before = source[:, :context]
    slot = _slot(past)[:, context, None] + torch.arange(-context, reach)
    days = torch.div(slot, steps, rounding_mode="floor")
    calendar = torch.stack(
        [
            (slot % steps).float() / steps,
            (past.calendar[:, context, 1, None] + days) % 7,
            past.calendar[..., 2].gather(1, source) * there,
        ],
        -1,
    )
    values = past.values.gather(1, before)
    known = past.measured.gather(1, before) & there[:, :context]
    return Straight(Past(values, known, calendar, steps), ahead)


def _slot(past: Past) -> Tensor:
    return (past.calendar[..., 0] * past.steps_per_day).round().long()


def _wall(past: Past, context: int) -> Tensor | None:
    """Steps (example, time) from the origin by the clock on the wall; None if no clock changes."""
    slot, steps = _slot(past), past.steps_per_day
    jump = (slot.diff(dim=1) - 1) % steps
    jump = torch.where(jump > steps // 2, jump - steps, jump)
    jump[jump.abs() > MOST * steps] = 0
    jump[slot.amax(1) == 0] = 0  # nothing is known of the time
    if not bool(jump.any()):
        return None
    wall = torch.arange(slot.shape[1]) + torch.nn.functional.pad(jump.cumsum(1), (1, 0))
    return wall - wall[:, context, None]


def _latest(wall: Tensor, context: int, reach: int) -> Tensor:
    """Which step (example, context + reach) was last at each time on the wall; -1 for none."""
    place = wall + context
    whole = context + reach
    place = torch.where((place >= 0) & (place < whole), place, whole)
    # What was before the origin stays before it, though an hour that comes twice may begin at it.
    past = torch.arange(wall.shape[1]) < context
    place = torch.where(past & (place >= context), whole, place)
    place = torch.where(~past & (place < context), whole, place)
    found = torch.full((len(wall), whole + 1), -1)
    steps = torch.arange(wall.shape[1]).expand_as(place)
    return found.scatter_reduce(1, place, steps, "amax")[:, :whole]
