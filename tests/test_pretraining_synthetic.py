"""The promise: any number of different, plausible series on a true calendar, from one seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from citytune.pretraining._faults import FAULTS
from citytune.pretraining._profiles import World, remember, wander
from citytune.pretraining._recipes import RECIPES, counts, demand
from citytune.pretraining._synthetic import Synthetic, make_world, synthesise

CLOCKS = {
    1: (182, 14),
    8: (224, 8),
    24: (672, 24),
    48: (1344, 48),
    96: (2688, 96),
    288: (8064, 288),
}
"""Steps a day, and the context and horizon a network is shown on that clock."""


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(count: int, steps: int, seed: int = 0) -> Synthetic:
    return synthesise(count, *CLOCKS[steps], steps, dice(seed))


@pytest.fixture(scope="module")
def hourly() -> Synthetic:
    return made(600, 24)


def likeness(values: Tensor, lag: int) -> Tensor:
    """Correlation of each series with itself `lag` steps before, where both are measured."""
    before, after = values[:, :-lag], values[:, lag:]
    both = before.isfinite() & after.isfinite()
    before, after = (torch.where(both, v, torch.nan) for v in (before, after))
    before, after = (v - v.nanmean(1, keepdim=True) for v in (before, after))
    size = before.square().nanmean(1) * after.square().nanmean(1)
    return (before * after).nanmean(1) / size.sqrt()


def test_the_same_seed_makes_the_same_series(hourly: Synthetic) -> None:
    again, other = made(600, 24), made(600, 24, seed=1)
    assert torch.equal(again.values.nan_to_num(-1), hourly.values.nan_to_num(-1))
    assert torch.equal(again.calendar, hourly.calendar)
    assert not torch.equal(other.values.nan_to_num(-1), hourly.values.nan_to_num(-1))


def test_no_chance_comes_from_elsewhere(hourly: Synthetic) -> None:
    state = torch.random.get_rng_state()
    made(20, 24)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("steps", CLOCKS)
def test_every_clock_gives_live_series(steps: int) -> None:
    context, horizon = CLOCKS[steps]
    values, calendar = made(48, steps)
    assert values.shape == (48, context + horizon)
    assert calendar.shape == (48, context + horizon, 3)
    assert values.dtype == calendar.dtype == torch.float32
    assert not values.isinf().any()
    assert calendar.isfinite().all()
    past, future = values[:, :context], values[:, context:]
    assert (past.nan_to_num(torch.inf).amin(1) < past.nan_to_num(-torch.inf).amax(1)).all()
    assert future.isfinite().any(1).all()


def test_a_clock_of_minutes_works_and_so_does_a_single_series() -> None:
    values, calendar = synthesise(3, 7 * 1440, 120, 1440, dice())
    assert values.shape == calendar.shape[:2] == (3, 7 * 1440 + 120)
    assert not values.isinf().any()
    assert synthesise(1, 48, 1, 24, dice()).values.shape == (1, 49)


@pytest.mark.parametrize(("context", "horizon"), [(48, 1), (672, 2), (30, 336)])
def test_short_pasts_and_futures_have_something_to_learn_too(context: int, horizon: int) -> None:
    values = synthesise(2000, context, horizon, 24, dice()).values
    past, future = values[:, :context], values[:, context:]
    assert (past.nan_to_num(torch.inf).amin(1) < past.nan_to_num(-torch.inf).amax(1)).all()
    assert future.isfinite().any(1).all()


@pytest.mark.parametrize("steps", CLOCKS)
def test_the_calendar_runs_as_calendars_do(steps: int) -> None:
    share, weekday, holiday = made(48, steps).calendar.double().unbind(-1)
    slot = (share * steps).round().long()
    torch.testing.assert_close(share, slot.double() / steps, atol=1e-6, rtol=0)
    assert ((slot[:, 1:] - slot[:, :-1]) % steps == 1 % steps).all()
    midnight = slot[:, 1:] == 0
    assert ((weekday[:, 1:] - weekday[:, :-1]) % 7 == midnight).all()
    assert ((weekday >= 0) & (weekday <= 6)).all()
    assert ((holiday == 0) | (holiday == 1)).all()
    assert (midnight | (holiday[:, 1:] == holiday[:, :-1])).all(), "holidays are whole days"


def test_series_begin_at_any_moment_of_the_week(hourly: Synthetic) -> None:
    share, weekday, _ = hourly.calendar[:, 0].unbind(-1)
    assert len(share.unique()) == 24
    assert len(weekday.unique()) == 7


def test_holidays_are_rare_and_some_come_together() -> None:
    holiday = make_world(3000, 29, 24, dice()).holiday
    assert 0.015 < holiday.float().mean() < 0.04
    assert 0.2 < holiday.any(1).float().mean() < 0.7
    assert (holiday.sum(1) >= 3).any()


def test_many_series_keep_holidays_unlike_workdays() -> None:
    world = make_world(400, 182, 1, dice())
    values = torch.cat([demand(world), counts(world)])[..., 0]
    holiday, weekday = world.holiday.repeat(2, 1), world.weekday.repeat(2, 1)
    work = torch.where((weekday < 4) & ~holiday, values, torch.nan)
    off = torch.where((weekday < 4) & holiday, values, torch.nan)
    spread = (work - work.nanmean(1, keepdim=True)).square().nanmean(1).sqrt()
    away = (off.nanmean(1) - work.nanmean(1)) / spread
    assert away.nanmedian() < 0, "most are quieter"
    assert 0.2 < (away.abs() > 1).float().mean() < 0.9, "many, not all"


def test_seasons_are_of_every_strength(hourly: Synthetic) -> None:
    day, week = likeness(hourly.values, 24), likeness(hourly.values, 168)
    for share in (day, week):
        assert share.nanquantile(0.1) < 0.15
        assert share.nanquantile(0.9) > 0.8
    assert (week > day + 0.1).float().mean() > 0.1, "some live by the week"
    assert (day > week + 0.1).float().mean() > 0.1, "some by yesterday's weather"


def test_some_have_zeros_gaps_and_held_values_and_most_have_none(hourly: Synthetic) -> None:
    values = hourly.values
    zeros = (values == 0).float().mean(1)
    gaps = values.isnan().float().mean(1)
    held = (values.diff(dim=1) == 0).float().mean(1)
    for share in (zeros, gaps, held):
        assert 0.05 < (share > 0.2).float().mean() < 0.4
        assert (share < 0.02).float().mean() > 0.4
    assert (zeros > 0.7).any()


def test_levels_and_relative_spreads_differ_widely(hourly: Synthetic) -> None:
    mean = hourly.values.nanmean(1)
    spread = (hourly.values - mean[:, None]).square().nanmean(1).sqrt()
    relative = spread / mean.abs()
    assert relative.quantile(0.1) < 0.15
    assert relative.quantile(0.9) > 1.2
    assert spread.quantile(0.9) > 300 * spread.quantile(0.1)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("steps", [1, 24, 96])
def test_every_recipe_makes_numbers_that_follow_its_dice(
    recipe: Callable[[World], Tensor], steps: int
) -> None:
    one, again = (recipe(make_world(20, 15, steps, dice())) for _ in range(2))
    assert one.shape == (20, 15, steps)
    assert one.isfinite().all()
    assert torch.equal(one, again)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_spares_the_shape_and_meets_most(
    fault: Callable[[World, Tensor], Tensor],
) -> None:
    world = make_world(200, 15, 24, dice())
    before = world.noise() + 5
    after = fault(world, before.clone())
    assert after.shape == before.shape
    assert not after.isinf().any()
    changed = (after != before).flatten(1)
    assert changed.any(1).float().mean() > 0.5


def test_the_shares_of_recipes_add_up() -> None:
    assert sum(RECIPES.values()) == pytest.approx(1)


def test_memory_is_what_its_recursion_says() -> None:
    kicks = torch.randn(3, 700, generator=dice(), dtype=torch.float64)
    memory = torch.tensor([[0.2], [0.95], [0.999]], dtype=torch.float64)
    expected, level = [], torch.zeros(3, 1, dtype=torch.float64)
    for kick in kicks.split(1, dim=1):
        level = memory * level + kick
        expected.append(level)
    torch.testing.assert_close(remember(kicks, memory), torch.cat(expected, 1), atol=0.05, rtol=0)


@pytest.mark.parametrize("lasting", [0.5, 6.0, 72.0])
def test_a_wandering_path_forgets_as_fast_as_told_on_any_clock(lasting: float) -> None:
    def path(steps: int) -> Tensor:
        world = make_world(300, 40, steps, dice())
        return wander(world, torch.full((300, 1, 1), lasting))

    fine, coarse = path(288), path(24)
    means = fine.unflatten(-1, (24, 12)).mean(-1)
    assert fine.var() == pytest.approx(1, abs=0.12)
    assert coarse.var() == pytest.approx(float(means.var()), abs=0.12)
    near = likeness(coarse.flatten(1), 6).mean()
    assert near == pytest.approx(float(likeness(means.flatten(1), 6).mean()), abs=0.1)
