"""What befalls a sensor: growth, jumps, events, closed nights, stuck values, gaps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from citytune.pretraining._profiles import World


def befall(world: World, values: Tensor) -> Tensor:
    """Let each of `FAULTS` meet its share of the series (series, day, step), in place."""
    for fault, share in FAULTS.items():
        met = world.chance(share, 1)[:, 0].nonzero()[:, 0]
        if len(met):
            values[met] = fault(world.only(met), values[met])
    return values


def along(world: World) -> Tensor:
    """How much of the window has passed (day, step), 0 … 1."""
    total = world.days * world.steps
    time = torch.arange(total, device=world.generator.device) / max(total - 1, 1)
    return time.view(world.days, world.steps)


def growth(world: World, values: Tensor) -> Tensor:
    """Steadily more, or less."""
    return values * (1 + world.between(-0.6, 0.6) * along(world))


def jump(world: World, values: Tensor) -> Tensor:
    """From some moment on another size: a new lane, a closed school."""
    changed = along(world) >= world.between(0, 1)
    return torch.where(changed, values * world.spread(0.3, 2.5), values)


def offset(world: World, values: Tensor) -> Tensor:
    """From some moment on another zero: a machine left running, a sensor set anew."""
    spread = values.flatten(1).std(1)[:, None, None]
    return values + world.normal() * spread * (along(world) >= world.between(0, 1))


def event(world: World, values: Tensor) -> Tensor:
    """A match, road works, an outage: some hours at another level."""
    since = (along(world) - world.between(0, 1)) * (24 * world.days)  # hours
    within = (since >= 0) & (since < world.spread(1, 48))
    level = torch.where(world.chance(0.3), 0.0, world.spread(0.2, 4))
    return torch.where(within, values * level, values)


def spikes(world: World, values: Tensor) -> Tensor:
    """Single wild values."""
    rare = world.spread(0.3, 30) / (world.days * world.steps)
    wild = world.between(0, 1, world.days, world.steps) < rare
    return torch.where(wild, values * world.spread(0.1, 8), values)


def closed(world: World, values: Tensor) -> Tensor:
    """Without service every night, some on Sundays and holidays too: zero, or nothing measured."""
    if world.steps == 1:
        return values
    since = (world.hour() - world.between(20, 26)) % 24
    nothing = torch.where(world.chance(0.5), torch.nan, 0.0)
    rest = ((world.weekday == 6) | world.holiday)[:, :, None] & world.chance(0.3)
    return torch.where((since < world.between(2, 10)) | rest, nothing, values)


def coarse(world: World, values: Tensor) -> Tensor:
    """A value that is renewed only every few steps."""
    every = world.spread(2, max(2.1, world.steps / 8), 1).long()
    step = torch.arange(world.days * world.steps, device=values.device)
    return values.flatten(1).gather(1, step // every * every).view_as(values)


def stuck(world: World, values: Tensor) -> Tensor:
    """The same value for hours or days."""
    step = torch.arange(world.days * world.steps, device=values.device)
    begin = (world.between(0, 1, 1) * len(step)).long()
    length = world.spread(0.1, 3, 1) * world.steps
    source = torch.where((step >= begin) & (step < begin + length), begin, step)
    return values.flatten(1).gather(1, source).view_as(values)


FAULTS: dict[Callable[[World, Tensor], Tensor], float] = {
    growth: 0.15,
    jump: 0.08,
    offset: 0.04,
    event: 0.15,
    spikes: 0.1,
    closed: 0.07,
    coarse: 0.03,
    stuck: 0.04,
}
"""What share of the series meets each fault, in this order."""


def gaps(world: World, values: Tensor, context: int) -> Tensor:
    """Cut single steps, a block, or the early past out of some series (series, time).

    Where nothing would be left of the future, or nothing that moves of the past, the series stays
    whole.
    """
    total = values.shape[1]
    step = torch.arange(total, device=values.device)
    lost = world.spread(0.001, 0.3, 1) * world.chance(0.15, 1)
    begin = world.between(0, 1, 1) * total
    length = world.spread(0.1, 7, 1) * world.steps * world.chance(0.15, 1)
    new = world.between(0, 0.9, 1) * context * world.chance(0.07, 1)
    gone = (world.between(0, 1, total) < lost) | (step < new)
    gone |= (step >= begin) & (step < begin + length)
    cut = values.masked_fill(gone, torch.nan)
    usable = moves(cut[:, :context]) & cut[:, context:].isfinite().any(1)
    return torch.where(usable[:, None], cut, values)


def moves(values: Tensor) -> Tensor:
    """Which series (series, time) have at least two different values."""
    low, high = values.nan_to_num(torch.inf).amin(1), values.nan_to_num(-torch.inf).amax(1)
    return high - low > 1e-6 * high.abs()


def alive(world: World, values: Tensor, context: int) -> Tensor:
    """See to it that every series (series, time) moves in its past and has a future to learn from.

    One that came out flat, such as counts of nothing, becomes noise; where all the future lies in
    hours without service, these measure zero.
    """
    future = values[:, context:].isfinite().any(1, keepdim=True)
    values = torch.where(future, values, values.nan_to_num(0.0))
    moving = moves(values[:, :context])[:, None]
    return torch.where(moving, values, world.normal(values.shape[1]))
