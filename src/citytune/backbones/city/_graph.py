"""The network of `citytune-base` without branches, as a graph of it needs to be.

Where clocks change within a window, `straighten` lays that window out by the clock on the wall and
asks for a few more steps. A graph has one layout for all: it always has those steps, and nobody
listens to their patches where they were not asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, pad

from citytune.backbones._protocol import Past
from citytune.backbones.city._adapter import PARTS, CityBackbone
from citytune.backbones.city._input import PATCH, look, period_of
from citytune.backbones.city._wall import FEWEST_STEPS_PER_DAY, clock_of, jumps_of, latest


class Layout(NamedTuple):
    """Windows as they are shown."""

    past: Past  # whose calendar reaches as far as the patches
    there: Tensor | None  # (example, patch) bool: patches that are asked for; None: all
    at: Tensor | None  # (example, horizon) long: which steps are wanted; None: the first ones


class GraphBackbone(CityBackbone):
    """A city network that answers every window in one and the same way.

    Its answers are those of the backbone that it is made from.
    """

    def __init__(self, backbone: CityBackbone, forward: int) -> None:
        """Of `backbone`, on a clock that goes forward by so many steps at most at once.

        With 0 it never changes.
        """
        super().__init__(backbone.card, backbone.network)
        self.forward = forward

    def features(self, past: Past) -> Tensor:
        """As `CityBackbone.features`."""
        period = period_of(past.steps_per_day)
        shown = self._lay_out(past, period)
        if shown.there is not None:  # features are of as many patches whatever the clock does
            last = past.values.shape[1] + -(-period // PATCH) * PATCH
            shown = Layout(shown.past._replace(calendar=shown.past.calendar[:, :last]), None, None)
        states = self.network.states(look(shown.past, period))[0]
        ahead = adaptive_avg_pool1d(states[:, 1:].transpose(1, 2), PARTS)
        return torch.cat([ahead.transpose(1, 2).flatten(1), states[:, 0]], 1)

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """As `CityBackbone.quantiles`."""
        shown = self._lay_out(past, horizon)
        reach = horizon if shown.there is None else shown.there.shape[1] * PATCH
        view = look(shown.past, reach)
        ahead = self.network(view, shown.there).double()
        ahead = ahead * view.spread[..., None] + view.level[..., None]
        if shown.at is None:
            ahead = ahead[:, :horizon]
        else:
            ahead = ahead.gather(1, shown.at[..., None].expand(-1, -1, ahead.shape[-1]))
        return ahead.to(past.values.dtype)

    def _lay_out(self, past: Past, horizon: int) -> Layout:
        if not self.forward or past.steps_per_day < FEWEST_STEPS_PER_DAY:
            return Layout(past, None, None)
        return lay_out(past, horizon, self.forward)


def lay_out(past: Past, horizon: int, forward: int) -> Layout:
    """Windows by the clock on the wall, whether it changes in them or not."""
    context, most = past.values.shape[1], horizon + forward
    patches = -(-most // PATCH)
    jump = jumps_of(past, context + horizon)
    wall = torch.arange(context + horizon) + pad(jump.cumsum(1), (1, 0))
    wall = wall - wall[:, context, None]  # steps from the origin
    reach = (wall[:, context:].amax(1) + 1).clamp(horizon, most)
    found = latest(wall, context, most)
    source = found[:, :context].clamp_min(0)
    changed = (jump != 0).any(1)[:, None, None]
    own = _own_calendar(past, horizon, patches)
    calendar = torch.where(changed, _wall_calendar(past, found, horizon, reach, patches), own)
    shown = Past(
        past.values.gather(1, source),
        past.measured.gather(1, source) & (found[:, :context] >= 0),
        calendar,
        past.steps_per_day,
    )
    there = torch.arange(patches) * PATCH < reach[:, None]
    return Layout(shown, there, wall[:, context:].clamp(0, patches * PATCH - 1))


def _wall_calendar(past: Past, found: Tensor, horizon: int, reach: Tensor, patches: int) -> Tensor:
    """(example, context + patch · PATCH, 3) of a clock like the origin's, up to `reach` steps."""
    context = past.values.shape[1]
    last = min(context + horizon, past.calendar.shape[1]) - 1
    near = _next_there(found, last)
    holiday = past.calendar[..., 2].gather(1, near)
    clock = clock_of(past, found.shape[1] - context)
    whole = torch.cat([clock, holiday[..., None]], -1)
    place = torch.arange(context + patches * PATCH)
    place = torch.minimum(place, context + reach[:, None] - 1)
    return whole.gather(1, place[..., None].expand(-1, -1, 3))


def _own_calendar(past: Past, horizon: int, patches: int) -> Tensor:
    """(example, context + patch · PATCH, 3) as it is, its last step repeated."""
    context = past.values.shape[1]
    ahead = min(-(-horizon // PATCH) * PATCH, past.calendar.shape[1] - context)
    place = torch.arange(context + patches * PATCH).clamp_max(context + ahead - 1)
    return past.calendar[:, place]


def _next_there(found: Tensor, last: int) -> Tensor:
    """`found` (example, place), where it is -1 that of the next place at which it is not."""
    near = found.masked_fill(found < 0, last)
    step = 1
    while step < found.shape[1] // 4:  # gaps are as long as a clock change, or at the end
        later = pad(near[:, step:], (0, step), value=last)
        near = torch.minimum(near, later)
        step *= 2
    return near.clamp_max(last)
