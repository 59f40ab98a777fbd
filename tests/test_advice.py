"""Promise: advice is measured on the city's own data, and says in words why."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from citytune.advice import Choice, _halving, choose, recommend
from citytune.advice._amount import Amount, days_in, sensors_in
from citytune.advice._curve import enough_of
from citytune.advice._decide import MARGIN, _gain_in_words, better, decide
from citytune.advice._enough import Enough, Point, needed, next_week
from citytune.advice._gains import DailyErrors, Gain, mean_and_error
from citytune.advice._halving import Limit, Tried, affordable, better_half, halve
from citytune.advice._nature import Nature, explained, forecastable, signal
from citytune.advice._ranking import rank
from citytune.advice._relevance import Relevance
from citytune.advice._rules import StrategyPlan, rules_for
from citytune.backbones import daily_share, familiar_of, load_backbone
from citytune.forecasting import TunedModel, fit_task, task_of
from citytune.frame import SensorFrame
from citytune.tuning import Task

City = Callable[..., SensorFrame]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


# --- how much, and how hard ----------------------------------------------------------------------


def test_sensors_that_say_the_same_count_once() -> None:
    one = draw(60, 1)
    assert sensors_in(one.expand(60, 10) + 0.01 * draw(60, 10, seed=1)) == pytest.approx(
        1, abs=0.05
    )
    assert sensors_in(draw(60, 10, seed=2)) == pytest.approx(10, rel=0.15)
    assert sensors_in(draw(6, 10, seed=3)) > 5  # few days alone do not make sensors alike


def test_days_that_resemble_the_day_before_count_less() -> None:
    noise = draw(400, 3)
    slow = torch.zeros(400, 3).double()
    for day in range(1, 400):
        slow[day] = 0.8 * slow[day - 1] + noise[day]
    assert days_in(noise) == pytest.approx(400, rel=0.2)
    assert days_in(slow) == pytest.approx(400 * 0.2 / 1.8, rel=0.4)


def test_missing_days_and_sensors_are_not_counted() -> None:
    errors = draw(40, 4)
    errors[10:20] = torch.nan
    errors[:, 3] = torch.nan
    assert days_in(errors) <= 30
    assert sensors_in(errors) == pytest.approx(3, rel=0.2)


def test_noise_is_unforecastable_and_a_wave_is_not() -> None:
    time = torch.arange(24 * 56).double()
    wave = torch.sin(2 * torch.pi * time / 24)[None]
    noise = draw(1, len(time))
    assert float(forecastable(noise)) < 0.1
    assert float(forecastable(wave)) > 0.7
    slot = time.long() % 24
    assert float(explained(wave, slot)) > 0.99
    assert float(explained(noise, slot)) < 0.05
    assert float(signal(noise)) < 0.3
    assert float(signal(wave)) > 100


def test_the_mean_day_explains_a_daily_wave_and_no_trend() -> None:
    time = torch.arange(24 * 7).float()
    wave, trend = torch.sin(2 * torch.pi * time / 24), time
    shares = daily_share(torch.stack([wave, trend]), 24)
    assert float(shares[0]) == pytest.approx(1, abs=1e-4)
    assert float(shares[1]) < 0.1


# --- relevance -----------------------------------------------------------------------------------


def test_the_card_of_our_network_keeps_what_it_was_trained_on() -> None:
    backbone = load_backbone("citytune-base")
    known = familiar_of(backbone.card)
    assert known is not None
    assert known.mean.shape == known.variance.shape == (backbone.card.features,)
    assert {"1h", "15min", "1D"} <= set(known.clocks)
    usual = known.mean + known.variance.sqrt() * draw(50, len(known.mean)).float()
    assert float(known.distance(usual).median()) == pytest.approx(1, abs=0.1)
    assert float(known.distance((known.mean + 5 * known.variance.sqrt())[None])) > known.far


def test_a_backbone_that_keeps_no_numbers_is_compared_by_none() -> None:
    assert familiar_of(load_backbone("lags").card) is None


# --- the order of backbones ----------------------------------------------------------------------


def measured(name: str, error: float, daily: torch.Tensor | None = None) -> Choice:
    """A choice of which only the errors are known."""
    days = torch.full((20,), error) if daily is None else daily
    model = SimpleNamespace(card=load_backbone(name).card, fold_error=error)
    errors = DailyErrors(torch.arange(len(days)), days, 1) if math.isfinite(error) else None
    return Choice(cast("TunedModel", model), errors, Relevance.unknown())


def order(*choices: Choice) -> list[str]:
    return [one.card.name for one in rank(choices)]


def test_backbones_are_ranked_by_error_with_benefit_of_the_doubt_for_who_needs_less() -> None:
    base, lags = "citytune-base", "lags"
    assert order(measured(lags, 0.80), measured(base, 0.88)) == [base, lags]  # knows the calendar
    assert order(measured(lags, 0.80), measured(base, 0.90)) == [lags, base]
    # Far beyond the best rule is little worse than that rule, to which all can fall back.
    assert measured(lags, 1.5).score - measured(lags, 1.0).score == pytest.approx(0.05)
    assert measured(base, math.nan).score == measured(base, 1.0).score


@pytest.mark.parametrize("shift", [-1e-4, -1e-6, 0.0, 1e-6, 1e-4])
def test_equals_are_ranked_in_a_fixed_order_whatever_the_last_digits(shift: float) -> None:
    base, lags = measured("citytune-base", 0.9), measured("lags", 0.81 + shift)
    assert order(base, lags) == order(lags, base) == ["lags", "citytune-base"]


def test_days_that_disagree_make_near_scores_equal() -> None:
    noise = torch.randn(20, generator=torch.Generator().manual_seed(0))

    def lags(size: float) -> Choice:
        return measured("lags", 0.815, 0.815 + size * noise)

    base = measured("citytune-base", 0.9)  # 0.81 with its bonus
    assert order(base, lags(0.01)) == ["citytune-base", "lags"]
    assert order(base, lags(1.0)) == ["lags", "citytune-base"]


# --- is it enough --------------------------------------------------------------------------------


def test_the_days_from_which_tuning_pays_lie_between_two_points() -> None:
    def point(days: int, gain: float) -> Point:
        return Point(days, (1 - gain, 1 - gain), (1.0, 1.0))

    rising = [point(3, -0.01), point(7, 0.0), point(14, 0.02), point(28, 0.03)]
    assert 7 < needed(rising) < 14  # type: ignore[operator]
    assert needed([point(3, 0.02), point(7, 0.05)]) == 3
    assert needed([point(3, 0.0), point(7, 0.005)]) == pytest.approx(3 * (7 / 3) ** 2)
    assert needed([point(3, 0.0), point(7, -0.01)]) is None


def test_a_power_law_tells_what_the_next_week_buys() -> None:
    points = [Point(d, (d**-0.2, d**-0.1), (1.0, 1.0)) for d in (3, 7, 14, 28)]
    low, high = next_week(points, 28)  # type: ignore[misc]
    assert low == pytest.approx(1 - (35 / 28) ** -0.1)
    assert high == pytest.approx(1 - (35 / 28) ** -0.2)


def test_a_standard_error_counts_blocks_and_not_days() -> None:
    gains = draw(30)
    doubled = gains.repeat_interleave(2)
    assert mean_and_error(doubled, 2) == pytest.approx(mean_and_error(gains, 1))
    assert mean_and_error(doubled, 1).error < mean_and_error(doubled, 2).error
    assert mean_and_error(draw(3), 1).error == math.inf


def test_a_learnt_mixture_says_the_same_without_asking_anew(city: City) -> None:
    frame = city(2, 40)
    task = task_of(frame, horizon=12, backbone="lags")
    model = fit_task(frame, task)
    part = task.part(torch.arange(0, len(task.examples), 7))
    again = part.replay(model.tuned.mixture)
    anew = model.tuned.mixture.forecast(part.live).mean
    torch.testing.assert_close(again, anew)


# --- the whole -----------------------------------------------------------------------------------


def test_a_choice_for_a_named_backbone_is_measured(city: City) -> None:
    model, advice = choose(city(2, 40), horizon=12, backbone="lags")
    assert advice is not None
    assert model is advice.model
    tried = {row.strategy for row in advice.halving}
    assert {"zero-shot", "head"} <= tried
    assert advice.plan is not None
    assert advice.plan.amount.independent > 5
    assert model.strategy in advice.verdict
    json.dumps(advice.to_dict())
    text = str(advice)
    assert "independent" in text
    assert "blend" in text


def test_shown_in_a_notebook_a_recommendation_is_one_line(city: City) -> None:
    _, advice = choose(city(1, 20), horizon=12, backbone="lags")
    assert repr(advice).startswith("<Recommendation: lags with ")
    assert len(repr(advice)) < 120
    assert "\n" in str(advice)


def test_nothing_is_chosen_where_everything_was_named(city: City) -> None:
    model, advice = choose(city(2, 30), horizon=12, backbone="lags", strategy="head")
    assert (model.strategy, advice) == ("head", None)


def test_too_few_days_for_any_fold_stay_zero_shot_and_say_why(city: City) -> None:
    model, advice = choose(city(2, 2), horizon=24, backbone="lags")
    assert advice is not None
    assert model.strategy == "zero-shot"
    assert "needs about 4 days" in advice.verdict


def test_blend_is_left_only_for_a_strategy_that_is_clearly_better(city: City) -> None:
    frame = city(2, 40, turn=0.6, noise=0.1)
    task = task_of(frame, horizon=12, backbone="lags")
    poor = fit_task(frame, task, strategy="zero-shot")  # plays the incumbent: a head beats it here
    found = decide(frame, task, poor)
    assert found.model.strategy == "head"
    assert found.model.fold_error < poor.fold_error
    good = fit_task(frame, task, strategy="head")
    assert decide(frame, task, good).model is good


@pytest.mark.parametrize("digits", [-1e-5, 0.0, 1e-5])
def test_a_strategy_that_forecasts_the_same_never_replaces_another(digits: float) -> None:
    usual, other = (
        cast("TunedModel", SimpleNamespace(fold_error=error)) for error in (0.8, 0.8 - digits)
    )
    assert not better(Gain(digits, abs(digits) / 2), other, usual)
    sure = cast("TunedModel", SimpleNamespace(fold_error=0.7))
    assert better(Gain(0.1, 0.1 - 2 * MARGIN), sure, usual)
    assert not better(Gain(0.1, 0.1), sure, usual)


# --- what is tried -------------------------------------------------------------------------------


def test_what_is_too_much_work_is_not_tried_and_the_reason_is_given() -> None:
    fitting, left_out = affordable(["zero-shot", "head", "lora"])
    assert fitting == ["zero-shot", "head"]
    assert left_out[0].strategy == "lora"
    assert "20 times the work of blend" in str(left_out[0])
    assert "max_seconds" in str(left_out[0])


class Clock:
    """A clock on which every fit takes a second."""

    def __init__(self) -> None:
        self.now, self.fits = 0.0, []  # type: float, list[tuple[str, int, float | None]]

    def fit(self, frame: SensorFrame, task: Task, *, strategy: str) -> SimpleNamespace:
        self.now += 1
        self.fits.append((strategy, len(task.examples), task.settings.max_seconds))
        return SimpleNamespace(seconds={"fit": 1.0}, fold_error=0.9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(_halving, "perf_counter", lambda: found.now)
    monkeypatch.setattr(_halving, "fit_task", found.fit)
    return found


NAMES = ["zero-shot", "head", "norms", "lora"]


def test_without_a_time_limit_a_slow_machine_tries_the_same(city: City, clock: Clock) -> None:
    frame = city(1, 10)
    task = task_of(frame, horizon=6, backbone="lags")
    limit = Limit()
    clock.now += 1e6
    rows = halve(frame, task, NAMES, limit)
    assert [name for name, _, _ in clock.fits] == ["zero-shot", "head"]
    assert all(most is None for _, _, most in clock.fits)
    assert [row.strategy for row in rows] == NAMES


def test_a_time_limit_is_never_lengthened_and_reaching_it_is_mentioned(
    city: City, clock: Clock
) -> None:
    frame = city(1, 10)
    task = task_of(frame, horizon=6, backbone="lags", max_seconds=0.5)
    rows = halve(frame, task, NAMES[:2], Limit(0.5))
    assert [name for name, _, _ in clock.fits] == ["zero-shot"]  # when it ends the time is over
    assert "the time limit of 0.5 s was reached" in str(rows[1])
    assert rows[1].model is None


def test_a_time_limit_is_shared_by_those_that_take_gradient_steps(city: City, clock: Clock) -> None:
    frame = city(1, 10)
    task = task_of(frame, horizon=6, backbone="lags", max_seconds=30)
    halve(frame, task, NAMES, Limit(30))
    count = len(task.examples)
    first = [most for _, windows, most in clock.fits if windows < count]
    assert first == [None, None, (10 - 2) / 2, (10 - 3) / 1]
    last = [most for _, windows, most in clock.fits if windows == count and most is not None]
    assert last == [(30 - 6) / 2, (30 - 7) / 1]


def test_of_three_the_worse_half_is_tried_on_a_share_of_the_windows_only(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_halving, "WORK", 10.0)
    frame = city(2, 40, turn=0.6, noise=0.1)
    task = task_of(frame, horizon=6, backbone="lags")
    names = ["zero-shot", "head", "blend"]
    tried = {t.strategy: t for t in halve(frame, task, names, Limit())}
    assert {name for name, t in tried.items() if t.share == 1} == {"head", "blend"}
    assert tried["zero-shot"].share == 0.25
    assert tried["zero-shot"].model is None


@pytest.mark.parametrize("digits", [-1e-5, 0.0, 1e-5])
def test_the_cut_of_halving_does_not_hang_on_the_last_digits(digits: float) -> None:
    errors = {"a": 0.9, "b": 0.8 + digits, "c": 0.8, "d": 0.7}
    rows = {name: Tried(name, 0.25, 1.0, error) for name, error in errors.items()}
    assert better_half(rows) == ["b", "c", "d"]


def test_few_independent_windows_leave_the_network_alone() -> None:
    calm = Nature(0.5, 0.6, 10.0)

    def contenders(windows: float, skill: float = 0.1, nature: Nature = calm) -> set[str]:
        rules = rules_for(Amount(999, windows, 1.0), nature, skill, movable=True)
        return {name for rule in rules for name in rule.adds}

    assert contenders(10) == {"zero-shot"}
    assert contenders(30) == {"zero-shot", "head"}
    assert contenders(30) <= contenders(100) <= contenders(1000)
    assert contenders(1000, nature=Nature(0.9, 0.97, 99.0)) == {"zero-shot", "head"}
    assert "head-sgd" not in contenders(1000)


def test_a_curve_is_drawn_from_windows_that_end_before_what_they_are_judged_by(
    city: City,
) -> None:
    task = task_of(city(1, 16), horizon=12, backbone="lags")
    curve = enough_of(task, 16)
    assert [p.days for p in curve.points][:2] == [3, 7]
    assert all(math.isfinite(p.error) and p.error > 0 for p in curve.points)
    short = enough_of(task_of(city(1, 3), horizon=12, backbone="lags"), 3)
    assert short.points == ()
    assert short.needs is not None
    assert "3 days are too few" in str(short)


@pytest.mark.slow
def test_a_recommendation_ranks_chooses_and_says_whether_it_is_enough(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    advice = recommend(city(1, 36), horizon=12)
    assert [row.score for row in advice.rows] == sorted(row.score for row in advice.rows)
    assert advice.rows[0].fold_error <= 1.06 * min(row.fold_error for row in advice.rows)
    near = {row.card.name: row.relevance.near for row in advice.rows}
    assert 0 <= near["citytune-base"] <= 1  # type: ignore[operator]
    assert near["lags"] is None
    assert advice.enough is not None
    assert [p.days for p in advice.enough.points][:2] == [3, 7]
    said = json.loads(json.dumps(advice.to_dict()))
    assert said["enough"]["words"] in str(advice)
    assert said["plan"]["contenders"]


class Elsewhere:
    """An engine whose work is sent there and back, as to another machine."""

    def map(self, function: Any, parts: Iterable[Any]) -> Iterator[Any]:
        for part in parts:
            there, some = pickle.loads(pickle.dumps((function, part)))
            yield pickle.loads(pickle.dumps(there(some)))

    def close(self) -> None:
        raise AssertionError("whoever made it closes it")


@pytest.mark.slow
def test_an_engine_tries_the_same_with_the_same_numbers(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citytune.advice._recommend.at_hand", lambda: ["lags", "moirai-2"])
    told = list[str]()
    here, there = (
        recommend(city(2, 36), horizon=12, engine=one, progress=lambda said, _: told.append(said))
        for one in (None, Elsewhere())
    )
    assert told.count("lags was tried") == 1
    assert "moirai-2" in here.not_at_hand
    assert here.not_at_hand == there.not_at_hand
    assert here.enough == there.enough
    assert here.rows[0].score == there.rows[0].score
    assert here.model.fold_error == there.model.fold_error


# --- in words ------------------------------------------------------------------------------------


def test_there_is_never_more_information_than_windows() -> None:
    amount = Amount(2001, 120.0, 400.0)
    assert amount.independent == 2001
    words = StrategyPlan(amount, Nature(0.5, 0.6, 12000.0), math.nan, ()).words()[0]
    assert words.startswith("2,001 windows to learn from; ")
    assert "12,000" in words
    words = StrategyPlan(Amount(1086, 12.6, 2.0), Nature(0.5, 0.6, 12.0), 0.05, ()).words()[0]
    assert "1,086 windows to learn from, with as much information as 25 independent ones" in words


@pytest.mark.parametrize(
    ("week", "words"),
    [
        ((-1e-5, 1e-5), "would hardly change the error"),
        ((0.003, 0.012), "would lower the error by 0.3 % to 1.2 %"),
        ((0.0031, 0.0029), "would lower the error by 0.3 %."),
        ((-0.02, -0.01), "would raise the error by 1.0 % to 2.0 %"),
        ((-0.01, 0.02), "would change the error by between −2.0 % and +1.0 %"),
    ],
)
def test_the_value_of_another_week_is_a_sentence(week: tuple[float, float], words: str) -> None:
    points = (Point(3, (0.9,), (1.0,)),)
    assert words in str(Enough(30, points, 3, week))


def test_no_gain_and_no_error_are_not_written_as_plus_or_minus_nothing() -> None:
    assert _gain_in_words(Gain(-1e-6, 1e-6), "blend") == "the same as blend"
    assert _gain_in_words(Gain(0.012, 0.004), "blend") == "1.2 ± 0.4 points lower than blend"
    assert "too few days" in _gain_in_words(Gain(0.1, math.inf), "blend")
