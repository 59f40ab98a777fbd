"""Windows across a clock change, laid out so that a row ago is the same time of day."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune.backbones._protocol import Past

FEWEST_STEPS_PER_DAY = 24
"""Steps a day from which an hour more or less can be seen at all."""
LARGEST_CLOCK_CHANGE = 1 / 8
"""Share of a day by which clocks change at most."""
MOST_CLOCK_CHANGES = 2
"""Most changes within a window (Morocco's before and after Ramadan); more are no clock's."""


class Lot(NamedTuple):
    """Windows of a batch that are shown and read alike."""

    which: Tensor  # (example,) long: their places in the batch
    past: Past  # by the clock on the wall
    reach: int  # steps ahead to ask for
    at: Tensor | None  # (example, horizon) long: which of them each step is; None: its own


def straighten(past: Past, horizon: int) -> list[Lot]:
    """Lay out windows in which the clocks change, in context or horizon, by the clock on the wall.

    Seen from the origin, a skipped hour becomes one that was not measured, and of an hour that came
    twice the later one counts. Windows without a change, and those of an unknown calendar, stay as
    they are, and apart: what one is shown does not depend on the others of its batch.
    """
    context, everyone = past.values.shape[1], torch.arange(len(past.values))
    jump = _jumps(past, context + horizon)
    if jump is None:
        return [Lot(everyone, past, horizon, None)]
    changed = jump.any(1)
    wall = torch.arange(context + horizon) + pad(jump.cumsum(1), (1, 0))
    wall = wall - wall[:, context, None]  # steps from the origin
    reach = (wall[:, context:].amax(1) + 1).clamp_min(horizon)
    lots = []
    for far in reach[changed].unique().tolist():
        which = everyone[changed & (reach == far)]
        at = wall[which, context:].clamp_min(0)
        lots.append(Lot(which, _by_the_wall(past.pick(which), wall[which], far), far, at))
    if len(others := everyone[~changed]):
        lots.append(Lot(others, past.pick(others), horizon, None))
    return lots


def _jumps(past: Past, length: int) -> Tensor | None:
    """By how many steps (example, length - 1) the clock is moved after each step; None: never."""
    steps = past.steps_per_day
    if steps < FEWEST_STEPS_PER_DAY or past.calendar.shape[1] <= past.values.shape[1]:
        return None
    jump = jumps_of(past, length)
    return jump if bool(jump.any()) else None


def jumps_of(past: Past, length: int) -> Tensor:
    """By how many steps (example, length - 1) the clock is moved after each step."""
    steps = past.steps_per_day
    more = past.calendar[..., 0].diff(dim=1) * steps - 1
    jump = (more - steps * (more / steps).round()).round()
    jump = jump.masked_fill(jump.abs() > LARGEST_CLOCK_CHANGE * steps, 0)
    unclear = (jump != 0).sum(1, keepdim=True) > MOST_CLOCK_CHANGES
    jump = jump.masked_fill(unclear, 0)  # nobody knows the time
    return pad(jump, (0, length - 1 - jump.shape[1])).long()


def _by_the_wall(past: Past, wall: Tensor, reach: int) -> Past:
    context, last = past.values.shape[1], min(wall.shape[1], past.calendar.shape[1]) - 1
    found = latest(wall, context, reach)
    # Where there is no step, the next one tells whether it is a holiday.
    near = found.masked_fill(found < 0, last).flip(1).cummin(1).values.flip(1).clamp_max(last)
    holiday = past.calendar[..., 2].gather(1, near)
    source = found[:, :context].clamp_min(0)
    return Past(
        past.values.gather(1, source),
        past.measured.gather(1, source) & (found[:, :context] >= 0),
        torch.cat([clock_of(past, reach), holiday[..., None]], -1),
        past.steps_per_day,
    )


def clock_of(past: Past, reach: int) -> Tensor:
    """Share of the day and weekday (example, context + reach, 2) of a clock like the origin's."""
    context, steps = past.values.shape[1], past.steps_per_day
    now = past.calendar[:, context, :1] * steps
    slot = (now + 0.01).floor()  # blocks of steps may start in between
    when = slot.long() + torch.arange(-context, reach)
    share = (when % steps + (now - slot).clamp_min(0)) / steps
    days = torch.div(when, steps, rounding_mode="floor")
    return torch.stack([share, (past.calendar[:, context, 1:2] + days) % 7], -1)


def latest(wall: Tensor, context: int, reach: int) -> Tensor:
    """Which step (example, context + reach) was last at each time on the wall; -1 for none."""
    place = wall + context
    whole = context + reach
    # What was before the origin stays before it, though an hour that comes twice may begin at it.
    past = torch.arange(wall.shape[1]) < context
    beyond = (place < 0) | (place >= whole) | (past != (place < context))
    place = place.masked_fill(beyond, whole)
    found = torch.full((wall.shape[0], whole + 1), -1)
    steps = torch.arange(wall.shape[1]).expand_as(place)
    return found.scatter_reduce(1, place, steps, "amax")[:, :whole]
