"""What synthetic sensors measure: one recipe for each family of city series."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from citytune.pretraining._profiles import (
    STEEP,
    World,
    daily_level,
    drift,
    grain,
    rhythm,
    wander,
    weather,
)


def counts(world: World) -> Tensor:
    """Vehicles, walkers, riders: Poisson counts of a busy rate, from rare to thousands a step."""
    night = world.spread(0.003, 0.8)
    busy = night + (1 - night) * rhythm(world)
    rain = -world.between(0, 0.8) * world.chance(0.4) * (weather(world) - 0.5).clamp_min(0)
    rate = busy * daily_level(world) * drift(world) * rain.exp() * grain(world)
    return torch.poisson(rate * world.spread(0.3, 10000), generator=world.generator)


def demand(world: World) -> Tensor:
    """Electricity or heat of many: a base, the day, a response to weather; some have own sun."""
    day = rhythm(world)
    people = world.spread(0.05, 1.5) * day * daily_level(world)
    awake = 1 + world.between(-0.8, 0.8) * (day - 0.5)
    air = world.spread(0.02, 1) * world.chance(0.8) * awake * climate(world)
    slow = 1 + world.spread(0.002, 0.1) * wander(world, world.spread(3, 150))
    roof = world.spread(0.1, 2.5) * world.chance(0.2)
    return (1 + people + air) * slow * grain(world, 0.001, 0.03) - roof * sunshine(world)


def climate(world: World) -> Tensor:
    """Response to a temperature: only below a threshold, only above one, or to both."""
    hour = (world.hour() - 15 + world.normal()) * (math.pi / 12)
    warm = weather(world) + world.between(0, 1) * torch.cos(hour) + world.normal()
    warm = warm + world.between(-1, 1) * (world.days / 60) * ramp(world)
    heating = world.chance(0.6) * (-warm - world.between(-1, 1)).clamp_min(0)
    cooling = world.chance(0.6) * (warm - world.between(-1, 1)).clamp_min(0)
    return heating + cooling


def ramp(world: World) -> Tensor:
    """From -1 on the first step to 1 on the last (day, step)."""
    time = torch.linspace(-1, 1, world.days * world.steps, device=world.generator.device)
    return time.view(world.days, world.steps)


def pollution(world: World) -> Tensor:
    """A gas or dust: the exponential of a long memory, a weak day, and bursts."""
    long = world.between(0.3, 0.9) * wander(world, world.spread(20, 150))
    short = world.spread(0.03, 0.4) * wander(world, world.spread(2, 20))
    day = world.between(0, 0.8) * world.chance(0.7) * rhythm(world)
    burst = world.between(0, 1.5) * (wander(world, world.spread(1, 15)) - 2).clamp_min(0)
    air = (long + short + day + burst).clamp(-STEEP, STEEP).exp() * grain(world, 0.003, 0.2)
    least = world.spread(0.05, 0.6) * world.chance(0.5)  # what the instrument can tell from zero
    return rounded(world, air.maximum(least) * world.spread(3, 80), 0.5)


def rounded(world: World, values: Tensor, share: float) -> Tensor:
    """Some instruments write whole numbers."""
    return torch.where(world.chance(share), values.round(), values)


def household(world: World) -> Tensor:
    """One home or machine: a base, and appliances that go on and off, more at some hours."""
    day = rhythm(world)
    home = world.spread(0.02, 2) * world.chance(0.7) * (1 + 0.3 * day) * grain(world, 0.01, 0.3)
    for _ in range(3):
        eager = world.between(0, 4) * (day - 0.5) - world.between(0.3, 2.3)
        urge = wander(world, world.spread(0.3, 10)) + eager
        on = (0.5 + (1 + world.steps / 12) * urge).clamp(0, 1)  # a coarse step is part on, part off
        home = home + on * world.spread(0.1, 3) * grain(world, 0.01, 0.5)
    return home * daily_level(world)


def sunshine(world: World) -> Tensor:
    """Light under clouds, nothing at night (series, day, step), 0 … 1."""
    # The sun rises earlier or later as the weeks pass.
    season = world.between(-0.6, 0.6) + world.between(-0.3, 0.3) * ramp(world)
    height = torch.cos((world.hour() - 12 - world.normal()) * (math.pi / 12)) + season
    light = (height / (1 + season.abs())).clamp_min(0) ** world.between(0.8, 1.6)
    quick = world.between(0, 0.8) * wander(world, world.spread(0.2, 3))
    clear = world.between(-1, 3) + world.between(0.3, 2.5) * wander(world, world.spread(6, 60))
    return light * torch.sigmoid(clear + quick)


def sun(world: World) -> Tensor:
    """A solar plant, or the lamps that burn when it does not."""
    light = sunshine(world)
    lamps = (light < world.between(0, 0.1)) * (1 + 0.03 * world.noise())
    return torch.where(world.chance(0.12), lamps, light)


def occupancy(world: World) -> Tensor:
    """Parked cars, docked bikes: a share that saturates near nothing and near all places."""
    pull = world.between(-1, 1) + world.between(1, 6) * (rhythm(world) * daily_level(world) - 0.5)
    luck = world.spread(0.05, 1.5) * wander(world, world.spread(1, 60))
    full = torch.sigmoid(world.spread(0.5, 2) * (pull + luck))
    places = world.spread(10, 2000)
    return (places * full * world.between(1, 1.1)).round().minimum(places.round())


def speed(world: World) -> Tensor:
    """Speed near free flow that breaks down when demand passes capacity; noisy with few cars."""
    busy = rhythm(world) * daily_level(world) * drift(world)
    jam = torch.sigmoid(world.between(6, 25) * (busy - world.between(0.5, 1.4)))
    free = 1 + world.spread(0.01, 0.15) * wander(world, world.spread(0.3, 30))
    few = 1 + world.chance(0.4) * world.between(0, 3) * (1 - busy).clamp(0, 1)
    noise = world.spread(0.003, 0.15) * few * world.noise()
    pace = free * (1 - world.between(0.1, 0.85) * jam) + noise
    return rounded(world, world.between(20, 120) * pace.clamp_min(0), 0.4)


def ambient(world: World) -> Tensor:
    """Temperature, wind or humidity: slow air and the sun's day, sometimes cut at both ends."""
    day = torch.cos((world.hour() - 15 + world.normal()) * (math.pi / 12))
    strength = world.spread(0.05, 3) * (1 + 0.5 * wander(world, world.spread(30, 100)))
    gusts = world.spread(0.02, 0.6) * world.chance(0.5) * wander(world, world.spread(0.5, 10))
    air = weather(world) + strength * day + gusts + 2 * world.normal()
    cut = torch.sigmoid(world.between(1, 4) * air).clamp(0.08, 0.92)
    return torch.where(world.chance(0.25), cut, air)


def free(world: World) -> Tensor:
    """Anything: a sum of day, wandering at all scales, trend and noise, now and then bent."""
    calendar = world.spread(0.05, 3) * world.chance(0.7) * rhythm(world) * daily_level(world)
    slow = world.spread(0.03, 2) * world.chance(0.6) * wander(world, world.spread(100, 3000))
    quick = world.spread(0.03, 1) * wander(world, world.spread(0.5, 50))
    noise = world.spread(0.01, 2) * world.chance(0.6) * world.noise()
    trend = world.normal() * world.chance(0.3) * ramp(world)
    total = 2 * world.normal() + calendar + slow + quick + noise + trend
    return torch.where(world.chance(0.3), (0.5 * total).clamp(-STEEP, STEEP).exp(), total)


RECIPES: dict[Callable[[World], Tensor], float] = {
    counts: 0.30,
    demand: 0.19,
    pollution: 0.13,
    household: 0.07,
    sun: 0.04,
    occupancy: 0.06,
    speed: 0.08,
    ambient: 0.04,
    free: 0.09,
}
"""What share of the series each recipe makes."""
