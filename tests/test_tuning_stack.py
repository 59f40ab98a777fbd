"""The promise: weights leave the pretrained forecast only on gains that repeat from day to day."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from citytune.backbones import Card, shelf
from citytune.settings import Settings
from citytune.tuning import (
    Candidate,
    Expert,
    FineTuned,
    KnownAhead,
    LastHour,
    LensExpert,
    Mixture,
    SeasonalExpert,
    Task,
    bands,
)
from citytune.tuning.examples._lenses import LENSES
from citytune.tuning.experts._mixture import mix
from citytune.tuning.stacking import _stack
from citytune.tuning.stacking._losses import Evidence, Losses
from citytune.tuning.stacking._stack import Caution, fit_stack
from citytune.tuning.strategies import _blend
from citytune.tuning.strategies._blend import Blend

DAYS, SENSORS, HORIZON = 28, 4, 12
EXPERTS = 4


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def evidence(errors: Tensor, *, sensors: int = SENSORS, days: int = DAYS) -> Evidence:
    """Experts that miss by `errors` (day, sensor, horizon, expert)."""
    day, sensor = torch.arange(days).repeat_interleave(sensors), torch.arange(sensors).repeat(days)
    actual = torch.randn(days * sensors, HORIZON, generator=draw(9))
    return Evidence(
        says=actual[..., None] + errors.flatten(0, 1), actual=actual, sensor=sensor, day=day
    )


def alike(size: float = 1.0, seed: int = 0, days: int = DAYS) -> Tensor:
    """Errors (day, sensor, horizon, expert) of experts that are equally good."""
    return size * torch.randn(days, SENSORS, HORIZON, EXPERTS, generator=draw(seed))


def caution(risk: float = 2.0, pull: float = 0.03) -> Caution:
    """Mostly the first expert, against which gains must repeat."""
    prior = torch.tensor([0.7, 0.1, 0.1, 0.1])
    return Caution(prior=prior, anchor=torch.eye(EXPERTS)[0], risk=risk, pull=pull)


def fit(of: Evidence, with_: Caution | None = None, *, sensors: int = 1) -> Tensor:
    return fit_stack(of, with_ or caution(), days=DAYS, sensors=sensors)[0]


def only(of: Evidence, which: Tensor) -> Evidence:
    """Some of the examples, without weights."""
    return replace(
        of, says=of.says[which], actual=of.actual[which], sensor=of.sensor[which], day=of.day[which]
    )


@pytest.mark.parametrize("horizon", [1, 6, 7, 24, 25, 48, 49, 96, 336, 2016])
def test_bands_cover_the_horizon_once(horizon: int) -> None:
    edges = bands(horizon)
    steps = [step for start, end in edges for step in range(start, end)]
    assert steps == list(range(horizon))
    assert len(edges) <= 12


def test_weights_are_convex() -> None:
    for sensors in (1, SENSORS):
        weights = fit(evidence(alike()), sensors=sensors)
        assert weights.shape == (2, sensors, EXPERTS)
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, sensors))


def test_without_evidence_the_weights_stay_where_they_were() -> None:
    nothing = evidence(alike())
    nothing.actual.fill_(torch.nan)
    for sensors in (1, SENSORS):
        weights = fit(nothing, sensors=sensors)
        expected = caution().prior.expand_as(weights)
        torch.testing.assert_close(weights, expected, atol=0.01, rtol=0)


def test_equal_experts_are_left_near_their_prior_if_they_miss_alike() -> None:
    """Mixing cannot help where all say the same."""
    weights = fit(evidence(alike()[..., :1].expand(-1, -1, -1, EXPERTS)))
    torch.testing.assert_close(weights, caution().prior.expand_as(weights), atol=0.01, rtol=0)


def test_a_clearly_better_expert_gets_most_of_the_weight() -> None:
    errors = alike()
    errors[..., 2] *= 0.1
    weights = fit(evidence(errors))
    assert weights[..., 2].min() > 0.8


def test_a_far_worse_expert_gets_next_to_nothing() -> None:
    errors = alike()
    errors[..., 3] = errors[..., 3] * 10 + 10
    assert fit(evidence(errors))[..., 3].max() < 0.01


def lucky() -> Evidence:
    """The second expert is a little worse on every day but one, on which it is far better."""
    base = alike()[..., :1]
    errors = base.expand(-1, -1, -1, EXPERTS).clone()
    errors[..., 1] *= 1.02
    bad = DAYS - 4
    errors[bad, ..., [0, 2, 3]] *= 4
    errors[bad, ..., 1] = 0.1 * base[bad, ..., 0]
    return evidence(errors)


def steady() -> Evidence:
    """The second expert is better every day, and on average by about as much as the lucky one."""
    errors = alike()[..., :1].expand(-1, -1, -1, EXPERTS).clone()
    errors[..., 1] *= 0.85
    return evidence(errors)


def test_a_gain_from_one_single_day_is_not_trusted() -> None:
    bold = fit(lucky(), caution(risk=0.0))[0, 0, 1]
    careful = fit(lucky(), caution(risk=4.0))[0, 0, 1]
    assert bold > 0.8
    assert careful < 0.2


def test_a_gain_that_repeats_is_taken_by_the_careful_too() -> None:
    for risk in (0.0, 2.0, 4.0):
        assert fit(steady(), caution(risk=risk))[0, 0, 1] > 0.8


def test_more_caution_never_moves_further_from_the_anchor() -> None:
    kept = [float(fit(lucky(), caution(risk=k))[0, 0, 0]) for k in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert all(b >= a - 0.01 for a, b in pairwise(kept)), kept


def test_a_stronger_pull_stays_nearer_to_the_prior() -> None:
    away = [
        float((fit(steady(), caution(pull=pull)) - caution().prior).abs().sum())
        for pull in (0.01, 0.1, 1.0, 10.0)
    ]
    assert away == sorted(away, reverse=True)
    assert away[-1] < 0.05


def test_each_sensor_with_evidence_of_its_own_gets_weights_of_its_own() -> None:
    errors = alike()
    for sensor in (0, 1):
        errors[:, sensor, :, 1 + sensor] *= 0.05
    weights = fit(evidence(errors), sensors=SENSORS)
    assert weights[0, 0, 1] > 0.6
    assert weights[0, 1, 2] > 0.6
    assert weights[0, 1, 1] < 0.3


def test_a_sensor_without_evidence_keeps_the_shared_weights() -> None:
    errors = alike()
    errors[..., 1] *= 0.3
    partly = evidence(errors)
    partly.actual[partly.sensor == 3] = torch.nan
    shared = fit(only(partly, partly.sensor != 3))[:, 0]
    weights = fit(partly, sensors=SENSORS)
    torch.testing.assert_close(weights[:, 3], shared, atol=0.02, rtol=0)


def test_sensors_without_evidence_are_fitted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = alike()
    errors[..., 1] *= 0.3
    groups = []
    descend = _stack._descend

    def counted(losses: Losses, *args: Any) -> Tensor:
        groups.append(len(losses.count))
        return descend(losses, *args)

    monkeypatch.setattr(_stack, "_descend", counted)
    few = fit(evidence(errors), sensors=SENSORS)
    apart = evidence(errors)
    many = fit(replace(apart, sensor=apart.sensor * 7 + 2), sensors=1000)
    torch.testing.assert_close(many[:, 2 : 7 * SENSORS : 7], few, rtol=0, atol=1e-6)
    others = many[:, [i for i in range(1000) if i % 7 != 2 or i >= 7 * SENSORS]]
    assert (others == others[:, :1]).all()
    assert groups[1::2] == [SENSORS * len(few), (SENSORS + 1) * len(few)]


def test_the_lately_better_expert_is_preferred() -> None:
    days = 56
    errors = alike(days=days)[..., :1].expand(-1, -1, -1, EXPERTS).clone()
    errors[: days // 2, ..., 1] *= 0.7
    errors[days // 2 :, ..., 2] *= 0.7
    weights = fit_stack(evidence(errors, days=days), caution(risk=0.0), days=days, sensors=1)
    assert weights[0, 0, 0, 2] > 2 * weights[0, 0, 0, 1]


def test_bands_are_weighed_apart() -> None:
    errors = alike()
    errors[:, :, :6, 1] *= 0.1
    errors[:, :, 6:, 2] *= 0.1
    weights = fit(evidence(errors))
    assert weights[0, 0, 1] > 0.7
    assert weights[1, 0, 2] > 0.7


def test_the_losses_are_the_plain_means_they_say_they_are() -> None:
    given = evidence(alike())
    given.actual[torch.rand(given.actual.shape, generator=draw(3)) < 0.3] = torch.nan
    w = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    losses = Losses.of(given, [torch.arange(6)], half_life=min(max(DAYS / 4, 7), 21))
    found = losses.by_block(w[None, None])[0][0, 0]
    weights = []
    for day in range(DAYS):
        rows = given.day == day
        error = ((given.says[rows].double() @ w) - given.actual[rows])[:, :6].abs()
        assert found[day] == pytest.approx(float(error.nanmean()), rel=1e-4)
        count = int((~error.isnan()).sum())
        weights.append((2 ** (-(DAYS - 1 - day) / 7), count))
    usual = float(torch.tensor([float(count) for _, count in weights]).median())
    expected = torch.tensor([w * min(count / usual, 1) for w, count in weights]).double()
    torch.testing.assert_close(losses.weight[0, 0], expected / expected.sum())


def test_the_slope_of_the_losses_is_theirs() -> None:
    given = evidence(alike())
    given.actual[torch.rand(given.actual.shape, generator=draw(3)) < 0.3] = torch.nan
    given = replace(given, target_weight=torch.rand(given.actual.shape, generator=draw(4)))
    part, steps = torch.arange(0, 60), [torch.arange(6), torch.arange(6, HORIZON)]
    losses = Losses.of(given, steps, [part], half_life=9, block_days=4, sensors=SENSORS)
    w = torch.rand(2 * SENSORS, 2, EXPERTS, generator=draw(5)).double().requires_grad_()
    by_mean = torch.rand(losses.count.shape, generator=draw(6)).double()
    loss, slopes = losses.by_block(w)
    (expected,) = torch.autograd.grad((loss * by_mean).sum(), w)
    torch.testing.assert_close(losses.slope(slopes.detach(), by_mean), expected)


def test_parts_that_are_fitted_together_are_those_fitted_alone() -> None:
    errors = alike()
    errors[..., 1] *= 0.6
    errors[:, 2, :, 3] *= 0.2
    weight = torch.rand(DAYS * SENSORS, generator=draw(2)) + 0.5
    given = replace(
        evidence(errors),
        pool_weight=weight,
        target_weight=weight[:, None].expand_as(evidence(errors).actual),
    )
    parts = [torch.arange(70), torch.arange(45, DAYS * SENSORS)]
    _, *together = fit_stack(given, caution(), days=DAYS, sensors=SENSORS, parts=parts)
    for found, which in zip(together, parts, strict=True):
        alone = replace(
            only(given, which), pool_weight=weight[which], target_weight=given.target_weight[which]
        )
        torch.testing.assert_close(found, fit(alone, sensors=SENSORS), atol=1e-3, rtol=0)


def test_the_same_evidence_gives_the_same_weights() -> None:
    assert torch.equal(fit(lucky(), sensors=SENSORS), fit(lucky(), sensors=SENSORS))


def test_the_order_of_the_evidence_does_not_matter() -> None:
    given, order = lucky(), torch.randperm(DAYS * SENSORS, generator=draw(7))
    found = fit(only(given, order), sensors=SENSORS)
    torch.testing.assert_close(found, fit(given, sensors=SENSORS), atol=1e-4, rtol=0)


def test_what_counts_for_nothing_does_not_move_the_shared_weights() -> None:
    errors = alike()
    errors[..., 1] *= 0.7
    errors[:, 3] = 5 * torch.randn(DAYS, HORIZON, EXPERTS, generator=draw(5))
    errors[:, 3, :, 2] *= 0.1
    given = evidence(errors)
    silenced = replace(given, pool_weight=torch.where(given.sensor == 3, 1e-4, 1.0))
    without = fit(only(given, given.sensor != 3))
    assert (fit(given) - without).abs().max() > 0.3
    torch.testing.assert_close(fit(silenced), without, atol=0.01, rtol=0)


def test_a_mixture_is_the_weighted_sum_of_its_band_and_sensor() -> None:
    says = torch.randn(5, 30, 3, generator=draw())
    weights = torch.rand(3, 2, 3, generator=draw(1))
    sensor = torch.tensor([0, 1, 1, 0, 1])
    found = mix(says, weights, sensor)
    for example in range(5):
        for step in (0, 5, 6, 23, 24, 29):
            band = 0 if step < 6 else 1 if step < 24 else 2
            w = weights[band, sensor[example]]
            expected = float((w / w.sum() * says[example, step]).sum())
            assert float(found[example, step]) == pytest.approx(expected, abs=1e-5)


def test_shares_are_told_largest_first_and_sum_to_one() -> None:
    weights = torch.tensor([[[0.2, 0.797, 0.003]], [[1.0, 0.0, 0.0]]])
    experts = LensExpert("plain"), SeasonalExpert("weeks"), SeasonalExpert("days")
    shares = Mixture(experts, weights, "plain").shares(12)
    assert list(shares) == ["0-6", "6-12"]
    assert list(shares["0-6"]) == ["weeks", "plain"]
    assert shares["6-12"] == {"plain": 1.0}


@pytest.mark.parametrize(("knows", "kept"), [(True, 0.9), (False, 0.3)])
def test_without_evidence_a_model_that_knows_the_calendar_keeps_its_own_forecast(
    *, knows: bool, kept: float
) -> None:
    card = replace(shelf()["citytune-base"], context_days=28 if knows else None)
    names = ("plain", "squashed", "yesterday", "weeks")
    found = Blend()._caution(task_around(card), candidates(*names))
    for prior, anchor in zip(found.prior, found.anchor, strict=True):  # of each band
        assert float(prior[0]) == pytest.approx(kept)
        assert float(prior.sum()) == pytest.approx(1.0)
        assert anchor.tolist() == [1, 0, 0, 0]


def test_the_last_hour_takes_the_place_of_what_it_corrects_next_to_a_tuned_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_blend, "share_of", lambda task, forecasts: torch.full((2, 1), 0.75))
    tuned, last = FineTuned("plain", {}, {}, probabilistic=True), object.__new__(LastHour)
    for name, value in {"prior": "plain", "around": "fine-tuned"}.items():
        object.__setattr__(last, name, value)
    some = [*candidates("plain"), *(Candidate(one, torch.zeros(1, 12)) for one in (tuned, last))]
    home = _blend.home_of(task_around(shelf()["citytune-base"]), some)
    assert home[:, 0].tolist() == [[0.25, 0.0, 0.75], [0.25, 0.75, 0.0]]
    last.__dict__["around"] = "plain"  # without a tuned network it has to convince the gate
    without = _blend.home_of(task_around(shelf()["citytune-base"]), [some[0], some[2]])
    assert without[:, 0].tolist() == [[1.0, 0.0], [1.0, 0.0]]


def task_around(card: Card) -> Task:
    found = SimpleNamespace(
        prior="plain",
        backbone=SimpleNamespace(card=card),
        better_rule=None,
        days=20.0,
        settings=Settings(horizon=12),
        spec=SimpleNamespace(horizon=12),
    )
    return cast("Task", found)


def candidates(*names: str) -> list[Candidate]:
    """Of some lenses and rules."""
    made = (LensExpert(name) if name in LENSES else SeasonalExpert(name) for name in names)
    return [Candidate(expert, torch.zeros(1, HORIZON)) for expert in made]


@pytest.mark.parametrize("fitted", [KnownAhead, FineTuned])
def test_what_corrects_the_forecast_shares_its_weight(fitted: type[Expert]) -> None:
    one = candidates("plain", "squashed", "yesterday")
    one.append(Candidate(object.__new__(fitted), torch.zeros(1, HORIZON)))
    found = Blend()._caution(task_around(shelf()["citytune-base"]), one)
    assert found.prior[0].tolist() == pytest.approx([0.45, 0.05, 0.05, 0.45])
