"""Promise: batches are drawn by chance alone, show no future, and are what the corpus says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from citytune.pretraining._augment import (
    bend,
    disturb,
    flip,
    hide,
    hole,
    lift,
    shorten,
    thin,
    tilt,
    vary,
)
from citytune.pretraining._batches import (
    CLOCKS,
    FARTHEST,
    LEAST_TARGETS,
    REACHES,
    Batch,
    Sampler,
    calendar_at,
    cut,
    generator,
    scaled,
    windows_at,
)
from citytune.pretraining._scores import Examiner, split
from citytune.pretraining._source import Source

CONTEXT, HORIZON, PERIOD = 28 * 24, 24, 24


def source(
    name: str = "loops",
    domain: str = "traffic",
    *,
    steps_per_day: int = 24,
    days: int = 50,
    sensors: int = 3,
    gaps: float = 0.03,
    seed: int = 0,
) -> Source:
    """Sensors with a day, noise and gaps, and the calendar of days that begin on a Monday."""
    draw = np.random.default_rng(seed)
    time = np.arange(days * steps_per_day)
    size = 10.0 ** np.arange(sensors)[:, None]
    values = size * (3 + np.sin(2 * np.pi * time / steps_per_day) + draw.normal(0, 0.2, len(time)))
    values[draw.random(values.shape) < gaps] = np.nan
    return Source(
        name=name,
        domain=domain,
        values=values.astype(np.float32),
        share=(time % steps_per_day / steps_per_day).astype(np.float32),
        weekday=(time // steps_per_day % 7).astype(np.uint8),
        holiday=time // steps_per_day % 30 == 0,
        steps_per_day=steps_per_day,
    )


def corpus() -> list[Source]:
    return [
        source("loops"),
        source("monitors", "air", days=40, seed=1),
        source("meters", "energy", steps_per_day=96, days=35, seed=2),
        source("days", "energy", steps_per_day=1, days=400, seed=3),
    ]


def tensors(batch: Batch) -> list[Tensor]:
    return [batch.past.values, batch.past.measured, batch.past.calendar, batch.future]


def same(one: Batch, other: Batch) -> bool:
    """Bit for bit."""
    return all(
        a.shape == b.shape and torch.equal(a.nan_to_num(9e9), b.nan_to_num(9e9))
        for a, b in zip(tensors(one), tensors(other), strict=True)
    )


def windows(count: int = 200, seed: int = 0) -> Tensor:
    """Windows (example, time) in units of their spread, nothing missing."""
    chance = torch.Generator().manual_seed(seed)
    time = torch.arange(CONTEXT + HORIZON)
    waves = (2 * torch.pi * time / PERIOD).sin()
    return scaled(waves + 0.5 * torch.randn((count, len(time)), generator=chance), CONTEXT)


@pytest.mark.parametrize("step", [0, 1, 7, 12])
def test_a_seed_and_a_step_are_always_the_same_batch(step: int) -> None:
    one = Sampler(corpus(), seed=3, tokens=500).batch(step)
    Sampler(corpus(), seed=3, tokens=500).batch(step + 1)
    torch.rand(5)  # chance elsewhere changes nothing
    again = Sampler(corpus(), seed=3, tokens=500).batch(step)
    assert same(one, again)
    assert not same(one, Sampler(corpus(), seed=4, tokens=500).batch(step))
    assert not same(one, Sampler(corpus(), seed=3, tokens=500).batch(step + 1))


def test_no_nan_is_shown_and_every_window_has_something_to_learn() -> None:
    sampler = Sampler(corpus(), tokens=500)
    for step in range(12):
        past, future = sampler.batch(step)
        assert past.values.isfinite().all()
        assert (past.values[~past.measured] == 0).all()
        assert past.calendar.isfinite().all()
        assert (past.measured.sum(1) > LEAST_TARGETS).all()
        assert future.isfinite().any(1).all()
        assert future.abs().nan_to_num(0).max() <= FARTHEST
        assert past.calendar.shape[:2] == (len(future), past.values.shape[1] + future.shape[1])


def test_every_clock_that_is_drawn_has_its_reaches() -> None:
    assert set(CLOCKS) == set(REACHES)
    assert all(weight > 0 for reach in REACHES.values() for weight in reach.values())


def test_windows_are_in_units_of_their_pasts_own_spread() -> None:
    raw = torch.from_numpy(np.random.default_rng(0).gamma(2, 30, (5, CONTEXT + HORIZON)))
    raw[:, 3:9] = torch.nan
    found = scaled(raw, CONTEXT).numpy()
    for row, shown in zip(raw.numpy(), found, strict=True):
        level, spread = np.nanmean(row[:CONTEXT]), np.nanstd(row[:CONTEXT])
        np.testing.assert_allclose(shown, (row - level) / spread, rtol=1e-5, atol=1e-6)


def test_another_future_changes_nothing_of_the_past_that_is_shown() -> None:
    raw = windows(4) * 7 + 100
    changed = raw.clone()
    changed[:, CONTEXT:] = 9e4
    torch.testing.assert_close(
        scaled(raw, CONTEXT)[:, :CONTEXT], scaled(changed, CONTEXT)[:, :CONTEXT], rtol=0, atol=0
    )


def test_a_constant_past_has_no_spread_to_divide_by() -> None:
    raw = torch.full((1, CONTEXT + HORIZON), 5.0)
    raw[:, CONTEXT:] = 7.0
    found = scaled(raw, CONTEXT)
    assert (found[:, :CONTEXT] == 0).all()
    assert (found[:, CONTEXT:] == 2).all()


def test_drawn_windows_stay_in_their_units_when_nothing_is_varied() -> None:
    batch = Sampler(corpus()[:1], synthetic=0.0, tokens=500, varied=False).batch(0)
    for values, measured in zip(batch.past.values, batch.past.measured, strict=True):
        assert float(values[measured].mean()) == pytest.approx(0, abs=1e-4)
        assert float(values[measured].std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_hiding_takes_from_the_past_and_leaves_the_future() -> None:
    whole = windows(400)
    hidden = whole.clone()
    hide(hidden, CONTEXT, PERIOD, generator(0, 0))
    assert torch.equal(hidden[:, CONTEXT:], whole[:, CONTEXT:])
    lost = hidden[:, :CONTEXT].isnan()
    assert 0.3 < float(lost.any(1).float().mean()) < 0.7
    assert torch.equal(hidden[:, :CONTEXT][~lost], whole[:, :CONTEXT][~lost])


@pytest.mark.parametrize("change", [shorten, hole, thin])
def test_every_way_to_hide_spares_the_future(change: object) -> None:
    assert callable(change)
    lost = change(windows(300), CONTEXT, PERIOD, generator(0, 1)).expand(300, -1)
    assert lost[:, :CONTEXT].any()
    assert not lost[:, CONTEXT:].any()
    assert not lost[:, :CONTEXT].all(1).any()


def test_a_shortened_past_keeps_at_least_one_period() -> None:
    lost = shorten(windows(500), CONTEXT, PERIOD, generator(0, 2))
    kept = (~lost[:, :CONTEXT]).sum(1)
    assert PERIOD - 1 <= int(kept.min()) < 2 * PERIOD
    assert int(kept.max()) > CONTEXT // 2
    starts = (~lost).int().argmax(1)
    assert all(not lost[i, start:].any() for i, start in enumerate(starts))


def test_variation_treats_past_and_future_alike() -> None:
    whole, chance = windows(50), generator(0, 3)
    assert torch.equal(flip(whole, CONTEXT, chance), -whole)
    tilted = tilt(whole, CONTEXT, chance) - whole
    torch.testing.assert_close(tilted.diff(n=2), torch.zeros(50, 694), rtol=0, atol=1e-5)
    bent = bend(whole, CONTEXT, chance)
    assert torch.equal(bent.argsort(1)[:, -50:], whole.argsort(1)[:, -50:])
    lifted = lift(whole, CONTEXT, chance) - whole
    torch.testing.assert_close(lifted[:, CONTEXT:], lifted[:, -1:].expand(-1, HORIZON))
    torch.testing.assert_close(lifted[:, 0], torch.zeros(50))
    noisy = (disturb(whole, CONTEXT, chance) - whole).std(1)
    assert 0 < float(noisy.min()) < float(noisy.max()) < 0.25


def test_variation_leaves_most_windows_and_all_gaps_as_they_are() -> None:
    whole = windows(500)
    whole[:, 10:20] = torch.nan
    varied = whole.clone()
    vary(varied, CONTEXT, generator(0, 4))
    assert torch.equal(varied.isnan(), whole.isnan())
    kept = (varied.nan_to_num() == whole.nan_to_num()).all(1).float().mean()
    assert 0.5 < float(kept) < 0.85


def test_domains_are_drawn_alike_however_many_sets_they_have() -> None:
    sets = [source(f"loops {i}", days=40 + 5 * i) for i in range(6)] + [source("air", "air")]
    for one in sets:
        one.weekday[:] = one.domain == "air"  # tells the domain of a window
    sampler = Sampler(sets, synthetic=0.0, tokens=20_000, varied=False)
    found = [int(day) for step in range(8) for day in sampler.batch(step).past.calendar[:, -1, 1]]
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)


def test_a_set_can_be_drawn_more_often_within_its_domain() -> None:
    sets = [source("one"), source("two")]
    for one in sets:
        one.weekday[:] = one.name == "two"
    sampler = Sampler(sets, synthetic=0.0, tokens=20_000, varied=False, weights={"two": 3.0})
    found = [int(day) for step in range(4) for day in sampler.batch(step).past.calendar[:, -1, 1]]
    assert np.mean(found) == pytest.approx(0.75, abs=0.05)


def test_the_last_part_of_a_set_is_in_no_batch() -> None:
    exam = [source("loops", seed=5), source("monitors", "air", seed=6)]
    other = [source("loops", seed=5), source("monitors", "air", seed=6)]
    for one in other:
        one.values[:, -int(np.ceil(0.04 * one.length)) :] = 1e4
        one.weekday[-int(np.ceil(0.04 * one.length)) :] = 3
    samplers = [Sampler(split(sets, 0.04)[0], tokens=2000, synthetic=0.0) for sets in (exam, other)]
    for step in range(6):
        assert same(samplers[0].batch(step), samplers[1].batch(step))
    assert not same(*(Sampler(sets, tokens=2000, synthetic=0.0).batch(0) for sets in (exam, other)))


def test_a_window_is_what_its_source_says_of_that_time() -> None:
    one = source(sensors=1, days=45)
    one.values[0] = np.arange(one.length)  # each value tells its time
    found, calendar = cut(one, 300, CONTEXT, HORIZON, generator(0, 5))
    inside = found.isfinite()
    when = found[inside].long().numpy()
    np.testing.assert_array_equal(calendar[inside][:, 0].numpy(), one.share[when])
    np.testing.assert_array_equal(calendar[inside][:, 1].numpy(), one.weekday[when])
    np.testing.assert_array_equal(calendar[inside][:, 2].numpy(), one.holiday[when])
    assert found[:, CONTEXT:].isfinite().any(1).all()
    assert bool((found.diff(dim=1)[inside[:, :-1] & inside[:, 1:]] == 1).all())


def test_before_and_after_a_set_nothing_was_measured() -> None:
    one = source(sensors=1, gaps=0.0)
    origin = torch.tensor([100, one.length - 5])
    found = windows_at(one, torch.tensor([0, 0]), origin, CONTEXT, HORIZON)
    assert found[0].isnan().sum() == CONTEXT - 100
    assert found[0, : CONTEXT - 100].isnan().all()
    assert found[1].isnan().sum() == HORIZON - 5
    assert calendar_at(one, origin, CONTEXT, HORIZON).isfinite().all()


def test_a_set_with_next_to_nothing_measured_gives_a_batch_all_the_same() -> None:
    bare = source(sensors=1)
    bare.values[:, :-1] = np.nan
    batch = Sampler([bare], synthetic=0.0, tokens=200).batch(0)
    assert len(batch.future) > 0


def test_a_perfect_forecast_scores_next_to_nothing_and_covers_all() -> None:
    examiner = Examiner([source("loops"), source("monitors", "air", seed=1)], 0.04)
    future = iter(
        [exam.future.nan_to_num(0)[..., None].expand(-1, -1, 11) for exam in examiner.exams]
    )
    score = examiner.score(lambda _: next(future))
    assert score is not None
    assert (score.coverage, list(score.domains)) == (1.0, ["air", "traffic"])
    assert score.relative < 1e-6


def test_a_forecast_of_nothing_scores_as_counted_by_hand() -> None:
    examiner = Examiner([source("loops")], 0.04)
    (exam,) = examiner.exams
    score = examiner.score(lambda _: torch.zeros(*exam.future.shape, 11))
    assert score is not None
    error = np.nanmean(np.abs(exam.future.numpy()))
    assert score.sets["loops"] == pytest.approx(error / exam.naive, rel=1e-5)
    assert score.relative == pytest.approx(score.sets["loops"])


def test_sets_too_short_to_hold_anything_out_are_not_scored() -> None:
    assert Examiner([source(days=10)], 0.04).score(lambda _: torch.zeros(0)) is None
    assert Examiner([source()], 0.0).score(lambda _: torch.zeros(0)) is None
