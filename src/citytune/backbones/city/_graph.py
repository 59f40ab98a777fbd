"""The network of `citytune-base` without branches, as a graph of it needs to be.

Where clocks change within a window, `straighten` lays that window out by the clock on the wall and
asks for a few more steps. A graph has one layout for all: it always has those steps, and nobody
listens to their patches where they were not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, pad

from citytune.backbones._protocol import Past
from citytune.backbones.city._adapter import PARTS, CityBackbone
from citytune.backbones.city._input import PATCH, CityInput, look, period_of
from citytune.backbones.city._wall import FEWEST_STEPS_PER_DAY, clock_of, jumps_of, latest


class Layout(NamedTuple):
    """Windows as they are shown."""

    past: Past
    patches: int
    """That are answered, of every window."""
    there: Tensor | None = None
    """(example, patch) bool: patches that are asked for; None: all."""
    at: Tensor | None = None
    """(example, horizon) long: which steps are wanted; None: the first ones."""


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
        shown = self.for_features(past)
        return features_of(self.network.states(view_of(shown), shown.there)[0])

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """As `CityBackbone.quantiles`."""
        shown = self.for_horizon(past, horizon)
        view = view_of(shown)
        ahead = self.network(view, shown.there)
        return quantiles_of(ahead, view.level, view.spread, shown, horizon)

    def for_horizon(self, past: Past, horizon: int) -> Layout:
        """How windows are shown to be answered so many steps ahead."""
        if not self.forward or past.steps_per_day < FEWEST_STEPS_PER_DAY:
            return Layout(past, -(-horizon // PATCH))
        return lay_out(past, horizon, self.forward)

    def for_features(self, past: Past) -> Layout:
        """How they are shown for their features: of a period, whatever the clock does."""
        period = period_of(past.steps_per_day)
        return Layout(self.for_horizon(past, period).past, -(-period // PATCH))


def view_of(shown: Layout) -> CityInput:
    """What the network sees of windows."""
    last = shown.past.values.shape[1] + shown.patches * PATCH
    past = shown.past._replace(calendar=shown.past.calendar[:, :last])
    return look(past, shown.patches * PATCH)


def features_of(states: Tensor) -> Tensor:
    """(example, feature) of the states of now and of a period ahead."""
    ahead = adaptive_avg_pool1d(states[:, 1:].transpose(1, 2), PARTS)
    return torch.cat([ahead.transpose(1, 2).flatten(1), states[:, 0]], 1)


def quantiles_of(
    ahead: Tensor, level: Tensor, spread: Tensor, shown: Layout, horizon: int
) -> Tensor:
    """(example, horizon, level) in the unit of the data, of what the network says.

    Args:
        ahead: (example, patch · PATCH, level) in spreads of the windows.
        level: (example, 1) of the windows, see `CityInput`.
        spread: (example, 1) of the windows.
        shown: How they were shown.
        horizon: Steps ahead.
    """
    found = ahead.double() * spread[..., None] + level[..., None]
    if shown.at is None:
        found = found[:, :horizon]
    else:
        found = found.gather(1, shown.at[..., None].expand(-1, -1, found.shape[-1]))
    return found.to(shown.past.values.dtype)


def one_above_the_other(shown: Sequence[Layout]) -> Layout:
    """Several layouts of as many windows, all of as long a context, as one: those of each in turn.

    They are answered as many patches ahead as the one that is answered furthest, and nobody
    listens to those beyond its own.
    """
    patches = max(one.patches for one in shown)
    alike = all(one.there is None and one.patches == patches for one in shown)
    past = Past(
        torch.cat([one.past.values for one in shown]),
        torch.cat([one.past.measured for one in shown]),
        torch.cat([_calendar_to(one, patches) for one in shown]),
        shown[0].past.steps_per_day,
    )
    there = None if alike else torch.cat([_there_to(one, patches) for one in shown])
    return Layout(past, patches, there)


def _calendar_to(shown: Layout, patches: int) -> Tensor:
    """(example, context + patch · PATCH, 3), the last step that is shown repeated."""
    context, calendar = shown.past.values.shape[1], shown.past.calendar
    last = min(calendar.shape[1], context + shown.patches * PATCH) - 1
    return calendar[:, torch.arange(context + patches * PATCH).clamp_max(last)]


def _there_to(shown: Layout, patches: int) -> Tensor:
    """(example, patch) bool."""
    there = shown.there
    if there is None:
        there = shown.past.measured.new_ones(shown.past.values.shape[0], shown.patches)
    return pad(there, (0, patches - shown.patches))


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
    return Layout(shown, patches, there, wall[:, context:].clamp(0, patches * PATCH - 1))


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
