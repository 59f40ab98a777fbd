"""The promise: a 90 % interval holds nine values in ten, by sensor and by hour, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from citytune.tuning import LEVELS, Conformal
from citytune.tuning.stacking._stats import t_inflation

HOURS, HORIZON, SENSORS = 24, 24, 3


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spread_of(sensor: Tensor, slot: Tensor) -> Tensor:
    """Sensors of 1, 10 and 100 veh/h; five times as uncertain by day as by night."""
    hour = 1 + 4 * ((slot >= 6) & (slot < 20)).float()
    return 10.0 ** sensor[:, None].float() * hour


class World:
    """Forecasts every three hours, and what happened then."""

    def __init__(self, days: int, seed: int, *, skew: bool = False) -> None:
        starts = torch.arange(0, days * HOURS, 3)
        self.sensor = torch.arange(SENSORS).repeat(len(starts))
        self.origin = starts.repeat_interleave(SENSORS)
        self.slot = (self.origin[:, None] + torch.arange(HORIZON)) % HOURS
        self.age = (days * HOURS - self.origin) / HOURS
        noise = torch.randn(self.slot.shape, generator=draw(seed))
        noise = torch.exp(noise) - 1 if skew else noise
        self.mean = 50 * torch.rand(self.slot.shape, generator=draw(seed + 1))
        self.actual = self.mean + noise * spread_of(self.sensor, self.slot)

    def calibrated(self, actual: Tensor | None = None, **other: Tensor) -> Conformal:
        told = {"mean": self.mean, "sensor": self.sensor, "slot": self.slot, "age": self.age}
        return Conformal.fit(
            self.actual if actual is None else actual, **(told | other), steps_per_day=HOURS
        )

    def quantiles(self, of: Conformal) -> Tensor:
        return of.quantiles(self.mean, self.sensor, self.slot)


def covered(world: World, of: Conformal, low: int = 0, high: int = -1) -> Tensor:
    found = world.quantiles(of)
    return (world.actual >= found[..., low]) & (world.actual <= found[..., high])


@pytest.mark.parametrize("skew", [False, True])
@pytest.mark.parametrize("days", [10, 60])
def test_nine_in_ten_lie_within_the_interval_everywhere(days: int, skew: bool) -> None:
    learnt, fresh = World(days, 1, skew=skew).calibrated(), World(60, 100, skew=skew)
    inside = covered(fresh, learnt).float()
    assert 0.86 < inside.mean() < 0.94
    night = fresh.slot < 6
    for part in (night, ~night, *(fresh.sensor[:, None].eq(i).expand_as(night) for i in range(3))):
        assert 0.83 < inside[part].mean() < (0.97 if days > 30 else 0.995)


@pytest.mark.parametrize("skew", [False, True])
def test_every_level_holds_its_share(skew: bool) -> None:
    learnt, fresh = World(60, 1, skew=skew).calibrated(), World(60, 100, skew=skew)
    below = (fresh.actual[..., None] <= fresh.quantiles(learnt)).float().mean((0, 1))
    torch.testing.assert_close(below, torch.tensor(LEVELS), atol=0.03, rtol=0)


def test_quantiles_never_cross() -> None:
    world = World(10, 1, skew=True)
    assert (world.quantiles(world.calibrated()).diff(dim=-1) >= 0).all()
    guess = Conformal.guess(torch.tensor([1.0, 2.0, 3.0]), HORIZON, HOURS)
    assert (world.quantiles(guess).diff(dim=-1) > 0).all()


def test_quiet_hours_get_narrow_intervals() -> None:
    world = World(60, 1)
    found = world.quantiles(world.calibrated())
    width = found[..., -1] - found[..., 0]
    night, day = world.slot < 6, (world.slot >= 6) & (world.slot < 20)
    for sensor in range(SENSORS):
        own = (world.sensor == sensor)[:, None]
        assert 3 < width[own & day].mean() / width[own & night].mean() < 5


def test_few_errors_of_an_hour_are_drawn_to_the_sensors_mean() -> None:
    """One quiet night is no reason to be sure of the night."""
    short, long = World(2, 1).calibrated(), World(60, 1).calibrated()
    for conformal, least, most in ((short, 0.4, 0.95), (long, 0.18, 0.3)):
        ratio = conformal.scale[1, :6].mean() / conformal.scale[1, 8:18].mean()
        assert least < ratio < most


def test_the_further_ahead_is_the_less_sure_where_it_was_so() -> None:
    world, fresh = World(60, 1), World(60, 100)
    for each in (world, fresh):
        further = torch.where(torch.arange(HORIZON) < 6, 1.0, 3.0)
        each.actual = each.mean + (each.actual - each.mean) * further
    learnt = world.calibrated()
    inside = covered(fresh, learnt).float()
    assert 0.84 < inside[:, :6].mean() < 0.96
    assert 0.84 < inside[:, 6:].mean() < 0.96


def test_old_errors_count_less() -> None:
    world = World(60, 1)
    old = world.age > 30
    actual = world.actual.clone()
    actual[old] = world.mean[old] + 10 * (actual - world.mean)[old]
    flat = world.calibrated(actual, age=torch.zeros_like(world.age))
    aged = world.calibrated(actual)
    fresh = World(60, 100)

    def width(of: Conformal) -> Tensor:
        found = fresh.quantiles(of)
        return (found[..., -1] - found[..., 0]).mean()

    assert width(aged) < 0.6 * width(flat)


def test_an_error_counts_half_after_two_weeks() -> None:
    """One old error of 4 beside one new error of 1: the scale is (1 + 4/2) / (1 + 1/2)."""
    actual, zero = torch.tensor([[4.0], [1.0]]), torch.zeros(2, 1)
    sensor = slot = torch.zeros(2, dtype=torch.long)
    learnt = Conformal.fit(actual, zero, sensor, slot[:, None], torch.tensor([14.0, 0.0]), 1)
    assert float(learnt.scale[0, 0]) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_missing_values_are_ignored(share: float) -> None:
    world, fresh = World(60, 1), World(60, 100)
    actual = world.actual.clone()
    actual[torch.rand(actual.shape, generator=draw(8)) < share] = torch.nan
    learnt = world.calibrated(actual)
    assert learnt.scale.isfinite().all()
    assert learnt.errors.isfinite().all()
    assert 0.86 < covered(fresh, learnt).float().mean() < 0.94


def test_a_small_sensor_is_not_blurred_by_a_large_one_beside_it() -> None:
    """The scale of a sensor of 1 veh/h is the same whether its neighbour counts 1 or 100,000."""
    world = World(7, 1)
    big = world.sensor == 2
    louder = world.mean + (world.actual - world.mean) * torch.where(big, 1000.0, 1.0)[:, None]
    found = world.calibrated(louder, spread=torch.tensor([1.0, 10.0, 1e5])).scale
    expected = world.calibrated(spread=torch.tensor([1.0, 10.0, 100.0])).scale
    torch.testing.assert_close(found[:2], expected[:2], rtol=0.05, atol=0)


def test_a_sensor_without_a_single_error_gets_a_usual_scale() -> None:
    world = World(10, 1)
    actual = world.actual.clone()
    actual[world.sensor == 1] = torch.nan
    spread = 10.0 ** torch.arange(SENSORS)
    scale = world.calibrated(actual, spread=spread).scale
    relative = scale.mean(1) / spread
    assert relative[1] == pytest.approx(float(relative[[0, 2]].mean()), rel=0.2)


def test_a_stretch_ahead_without_errors_is_not_a_certainty() -> None:
    world = World(30, 1)
    actual = world.actual.clone()
    actual[:, 6:] = torch.nan
    found = world.quantiles(world.calibrated(actual))
    width = found[..., -1] - found[..., 0]
    assert (width[:, 6:].mean() > 0.5 * width[:, :6].mean()).all()


def test_without_history_the_guess_is_as_wide_as_the_sensor_is_spread() -> None:
    spread = torch.tensor([1.0, 20.0])
    guess = Conformal.guess(spread, 12, HOURS)
    mean, slot = torch.zeros(2, 12), torch.zeros(2, 12, dtype=torch.long)
    found = guess.quantiles(mean, torch.tensor([0, 1]), slot)
    expected = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(LEVELS))
    torch.testing.assert_close(found, (spread[:, None] * expected)[:, None].expand(2, 12, -1))


def test_a_finite_sample_is_answered_with_wider_intervals() -> None:
    """Of nine errors of one day the largest is not yet the 95 % quantile, nor the worst to fear."""
    actual = torch.arange(-4.0, 5.0)[:, None]
    zero = torch.zeros(9, dtype=torch.long)
    learnt = Conformal.fit(
        actual, torch.zeros(9, 1), zero, zero[:, None], torch.zeros(9), steps_per_day=1
    )
    unit = learnt.scale[0, 0]
    assert float(learnt.errors[0, -1] * unit) == pytest.approx(4.0 * t_inflation(1.0))
    assert float(learnt.errors[0, 0] * unit) == pytest.approx(-4.0 * t_inflation(1.0))


def test_a_forecast_shorter_than_learnt_takes_the_first_bands() -> None:
    world = World(30, 1)
    learnt = world.calibrated()
    whole = world.quantiles(learnt)
    part = replace(learnt).quantiles(world.mean[:, :3], world.sensor, world.slot[:, :3])
    torch.testing.assert_close(part, whole[:, :3])


@pytest.mark.parametrize("steps_per_day", [1, 96, 288, 1440])
def test_any_clock_finds_its_slot(steps_per_day: int) -> None:
    count = 400
    slot = torch.arange(count)[:, None] % steps_per_day
    sensor = torch.zeros(count, dtype=torch.long)
    actual = torch.randn(count, 1, generator=draw())
    learnt = Conformal.fit(
        actual, torch.zeros(count, 1), sensor, slot, torch.zeros(count), steps_per_day
    )
    found = learnt.quantiles(torch.zeros(count, 1), sensor, slot)
    assert found.isfinite().all()
    assert ((actual >= found[..., 0]) & (actual <= found[..., -1])).float().mean() > 0.85


def test_a_wider_interval_is_wider_by_so_much() -> None:
    world = World(30, 1)
    learnt = world.calibrated()
    wider = torch.full(world.mean.shape, 1.5)
    plain = learnt.quantiles(world.mean, world.sensor, world.slot) - world.mean[..., None]
    found = learnt.quantiles(world.mean, world.sensor, world.slot, wider) - world.mean[..., None]
    torch.testing.assert_close(found, 1.5 * plain)
