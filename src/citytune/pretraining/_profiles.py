"""The ingredients of synthetic city series: dice, daily profiles, latent weather, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

KINDS = 4
"""Kinds of day with a profile of their own: Monday to Thursday, Friday, Saturday, Sunday."""
BUMPS = 5
"""Peaks a day may have."""
WAVES = 6
"""Waves a day of a smooth random profile."""
STEEP = 4.0
"""Largest logarithm of a factor, so that nothing overflows."""


@dataclass(frozen=True)
class World:
    """The clock and the calendar of some series on whole days, and the dice they are made with."""

    generator: torch.Generator
    """Where all chance comes from; series are made on its device."""
    weekday: Tensor
    """(series, day) Monday 0 … Sunday 6."""
    holiday: Tensor
    """(series, day) public holiday."""
    festive: Tensor
    """(series, day) 0 … 1, how much of the town is on leave around holidays."""
    steps: int
    """Steps of the clock a day."""

    @property
    def series(self) -> int:
        """How many series."""
        return self.weekday.shape[0]

    @property
    def days(self) -> int:
        """Days of each."""
        return self.weekday.shape[1]

    def only(self, which: Tensor) -> World:
        """The series numbered `which` alone."""
        calendar = (self.weekday[which], self.holiday[which], self.festive[which])
        return World(self.generator, *calendar, self.steps)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (series, *shape); one a series without a shape (series, 1, 1)."""
        size = (self.series, *(shape or (1, 1)))
        return torch.randn(size, generator=self.generator, device=self.generator.device)

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform numbers; shapes as in `normal`."""
        size = (self.series, *(shape or (1, 1)))
        share = torch.rand(size, generator=self.generator, device=self.generator.device)
        return low + (high - low) * share

    def spread(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers with a uniform logarithm; shapes as in `normal`."""
        return self.between(math.log(low), math.log(high), *shape).exp()

    def chance(self, share: float, *shape: int) -> Tensor:
        """True in a random `share` of the draws; shapes as in `normal`."""
        return self.between(0, 1, *shape) < share

    def noise(self) -> Tensor:
        """Standard normal numbers, one a step (series, day, step)."""
        return self.normal(self.days, self.steps)

    def hour(self) -> Tensor:
        """Local hour at the middle of each step (step,)."""
        return hours(self.steps).to(self.generator.device)


def hours(steps: int) -> Tensor:
    """Hour at the middle of each of a day's steps."""
    return (torch.arange(steps) + 0.5) * 24 / steps


def bump(hour: Tensor, centre: Tensor, sharp: Tensor) -> Tensor:
    """A peak of height 1 on the 24-hour circle (von Mises), about 4 / √sharp hours wide."""
    return (sharp * (torch.cos((hour - centre) * (math.pi / 12)) - 1)).exp()


def scaled(shape: Tensor) -> Tensor:
    """Moved and stretched to 0 … 1 over the last axis."""
    low, high = shape.aminmax(dim=-1, keepdim=True)
    return (shape - low) / (high - low).clamp_min(1e-6)


def peaks(world: World, hour: Tensor, commuting: float) -> Tensor:
    """A day of 1 to 5 peaks on a daytime plateau, often morning and evening (series, hour)."""
    centre = world.between(5, 23, BUMPS, 1)
    usual = torch.tensor([7.8, 17.0], device=hour.device)[:, None] + 1.1 * world.normal(2, 1)
    centre[:, :2] = torch.where(world.chance(commuting), usual, centre[:, :2])
    size = world.spread(0.15, 1, BUMPS, 1) * world.chance(0.5, BUMPS, 1)
    size[:, 0] = 1
    rush = (size * bump(hour, centre, world.spread(1, 60, BUMPS, 1))).sum(1)
    plateau = bump(hour, 14 + 1.5 * world.normal(1), world.between(0.7, 3, 1))
    return scaled(rush + world.spread(0.1, 3, 1) * plateau)


def waves(world: World, hour: Tensor) -> Tensor:
    """A smooth random day: a short Fourier series, bent up or down (series, hour)."""
    number = torch.arange(1, WAVES + 1, device=hour.device)[:, None]  # (wave, 1)
    angle = number * hour * (math.pi / 12)
    size = number ** -world.between(0.8, 2.5)
    both = torch.stack([angle.sin(), angle.cos()])  # (2, wave, hour)
    day = torch.einsum("swx,cwh,swc->sh", size, both, world.normal(WAVES, 2))
    return scaled(day) ** world.spread(0.5, 2, 1)


def profiles(world: World) -> Tensor:
    """Every kind of day's profile (series, kind, step), about 0 … 1.

    A fifth of the series knows no week; in the others Saturday and Sunday lie anywhere between
    workdays and days of their own, and Friday sometimes turns towards Saturday.
    """
    fold = max(1, math.ceil(24 / world.steps))  # a coarse step is the mean of what it holds
    hour = hours(world.steps * fold).to(world.generator.device)
    smooth = world.chance(0.35, 1)
    commuting = (0.65, 0.1, 0.0)
    own = [torch.where(smooth, waves(world, hour), peaks(world, hour, c)) for c in commuting]
    weekly = world.chance(0.8, 1)
    saturday = own[0].lerp(own[1], weekly * world.between(0, 1, 1))
    sunday = saturday.lerp(own[2], weekly * world.between(0, 1, 1))
    friday = own[0].lerp(saturday, world.between(0, 0.6, 1) * world.chance(0.3, 1))
    size = torch.tensor([0.0, 0.0, -0.2, -0.35], device=hour.device)[:, None]
    spread = torch.tensor([0.0, 0.04, 0.3, 0.35], device=hour.device)[:, None]
    size = weekly[:, None] * (size + spread * world.normal(KINDS, 1))
    days = torch.stack([own[0], friday, saturday, sunday], 1) * size.exp()
    return days.unflatten(-1, (world.steps, fold)).mean(-1)


def kinds(world: World) -> Tensor:
    """Which kind each day is (series, day); most series take a holiday for a Sunday."""
    east = world.chance(0.04, 1).long()  # there Friday and Saturday are the week's end
    kind = ((world.weekday + east) % 7 - 3).clamp_min(0)
    likeness = world.between(0, 1, 1)
    instead = torch.where(likeness < 0.7, 3, torch.where(likeness < 0.85, 2, kind))
    return torch.where(world.holiday, instead, kind)


def rhythm(world: World) -> Tensor:
    """The day and the week as the calendar alone tells them (series, day, step), about 0 … 1."""
    row = torch.arange(world.series, device=world.weekday.device)[:, None]
    return summer_time(world, profiles(world)[row, kinds(world)])


def summer_time(world: World, values: Tensor) -> Tensor:
    """A few series come from a clock without summer time: one day all turns an hour later."""
    hour = world.steps // 24
    turned = world.chance(0.04) & (_day(world) >= world.between(0, 1) * world.days)
    return torch.where(turned, values.roll(hour, -1), values) if hour else values


def remember(kicks: Tensor, memory: Tensor) -> Tensor:
    """First-order memory yₜ = memory · yₜ₋₁ + kickₜ over the last axis, in log₂(time) sweeps.

    Hillis and Steele (1986): after the sweep with lag 2ᵏ each step holds its last 2ᵏ⁺¹ kicks.
    """
    level, lag = kicks.clone(), 1
    while lag < level.shape[-1] and float((keep := memory**lag).max()) > 1e-3:
        level[:, lag:] += keep * level[:, :-lag]
        lag *= 2
    return level


def wander(world: World, hours: Tensor, steps: int | None = None) -> Tensor:
    """An Ornstein-Uhlenbeck path that forgets within `hours` (series, day, step).

    Its variance is 1 on a fine clock; coarse steps are means of it, and vary less.
    """
    steps = steps or world.steps
    lasting = hours[:, :, 0] * steps / 24  # in steps (series, 1)
    memory = torch.exp(-1 / lasting)
    variance = 2 * lasting * (1 + lasting * torch.expm1(-1 / lasting))
    kicks = world.normal(world.days * steps) * variance.clamp(0, 1).sqrt()
    kicks[:, 1:] *= (1 - memory.square()).sqrt()
    return remember(kicks, memory).view(world.series, world.days, steps)


def weather(world: World) -> Tensor:
    """A latent day's weather, smooth within hours, that lasts for days (series, day, step)."""
    rough = wander(world, world.spread(20, 150))
    memory = torch.exp(-24 / (world.spread(0.3, 6) * world.steps))[:, :, 0]
    kicks = rough.flatten(1) * (1 - memory)
    kicks[:, 0] = rough[:, 0, 0]  # no calm before the first hours
    return remember(kicks, memory).view_as(rough)


def daily_level(world: World) -> Tensor:
    """How busy each day is as a whole (series, day, 1): luck, weekday, season, leave."""
    luck = world.spread(0.005, 0.3) * wander(world, 24 * world.spread(0.3, 15), 1)
    habit = (0.08 * world.between(0, 1, 1) * world.normal(7)).gather(1, world.weekday)
    year = (_day(world) / 365 + world.between(0, 1)) * (2 * math.pi)
    season = world.spread(0.02, 0.6) * torch.sin(year)
    leave = -world.between(0, 0.7) * world.chance(0.6) * world.festive[:, :, None]
    feast = 0.2 * world.normal() * world.holiday[:, :, None]
    return (luck + habit[:, :, None] + season + leave + feast).clamp(-STEEP, STEEP).exp()


def grain(world: World, low: float = 0.003, high: float = 0.4) -> Tensor:
    """Multiplicative noise, one factor a step; in a third of the series with heavy tails."""
    noise = world.noise()
    heavy = 0.5 * noise * world.chance(0.35)
    strength = world.spread(low, high) * min(1.0, world.steps / 24) ** 0.3  # a long step evens out
    return (strength * noise * (1 + heavy * heavy)).clamp(-STEEP, STEEP).exp()


def drift(world: World) -> Tensor:
    """A factor that wanders within hours to days (series, day, step)."""
    strength = world.spread(0.005, 0.4)
    return (strength * wander(world, world.spread(1, 100))).clamp(-STEEP, STEEP).exp()


def _day(world: World) -> Tensor:
    """Number of the day (day, 1)."""
    return torch.arange(world.days, device=world.generator.device)[:, None]
