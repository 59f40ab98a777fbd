"""Rare values are moved toward at a price that is kept, and without a wish nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import citytune as ct
from citytune._errors import InputError
from citytune.forecasting import TunedModel, fit_model, load, refit
from citytune.frame import Quantity, SensorFrame
from citytune.settings import Rare
from citytune.training import balanced_mse
from citytune.tuning import LEVELS, Conformal, Tilt
from citytune.tuning.closed_form._head import solver
from citytune.windows import History, Rarity, density_weights, is_peak, target_weights

City = Callable[..., SensorFrame]
PM = Quantity("pm2.5", "µg/m³", low=0)


@pytest.fixture(scope="module")
def frame(city: City) -> SensorFrame:
    """Three sensors on which now and then a day is twice as busy, and nothing tells which."""
    calm = city(3, 42, turn=0.0, noise=0.1)
    values = calm.values.copy()
    for day in np.random.default_rng(1).choice(42, 8, replace=False):
        values[24 * day : 24 * day + 24] *= 2
    return replace(calm, values=values)


@pytest.fixture(scope="module")
def tilted(frame: SensorFrame) -> TunedModel:
    return fit_model(frame.until(24 * 35), horizon=24, backbone="lags", rare="top 5%")


# What was asked for


def test_words_say_which_values_matter() -> None:
    found = Rare.parse("pm2.5 > 150 µg/m³, <5", "bottom 10%", "7-9h,16-18.5h", quantity=PM)
    assert (found.above, found.below, found.bottom) == ((150.0,), (5.0,), 0.1)
    assert found.peak_hours == ((7.0, 9.0), (16.0, 18.5))
    assert Rare.of(True) == Rare.of("density") == Rare()
    assert Rare.of(None) is Rare.of(False) is Rare.of([]) is None
    assert Rare.of(["top 5%", "22-6h"]) == Rare(top=0.05, peak_hours=((22, 6),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no2>150", "speaks of 'no2', but the readings are 'pm2.5'"),
        ("top 60%", "less than 50 %"),
        ("7-27h", "peak hours run from one hour of the day to another"),
        ("often", "'density', 'pm2.5>150'"),
        ("", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Rare.parse(text, quantity=PM)
    assert said in str(caught.value)


def test_dials_out_of_range_are_refused() -> None:
    for wrong in ({"power": 2}, {"price": -1}, {"top": 0.7}, {"above": (np.nan,)}):
        with pytest.raises(InputError):
            Rare(**wrong)


def test_a_threshold_that_no_value_passed_is_said_plainly_and_changes_nothing(
    frame: SensorFrame,
) -> None:
    plain = fit_model(frame, horizon=24, backbone="lags")
    model = fit_model(frame, horizon=24, backbone="lags", rare=">1e6")
    assert model.notes[:-1] == plain.notes
    assert "no value ever was above 1e+06 (the highest is" in model.notes[-1]
    np.testing.assert_array_equal(model.forecast(frame).mean, plain.forecast(frame).mean)


# How much a value counts


def test_weights_by_density_favour_the_rare_with_a_mean_of_one() -> None:
    history = np.concatenate([np.random.default_rng(0).normal(10, 1, 950), np.linspace(14, 40, 50)])
    found = density_weights(history, history, power=1.0)
    assert found.mean() == pytest.approx(1.0)
    assert found[-1] > 5 * np.median(found)
    np.testing.assert_array_equal(density_weights(history, history, power=0.0), 1.0)
    assert density_weights(np.array([np.nan]), history).item() == 1.0
    assert found.max() <= 20 * found.min() * (1 + 1e-9)


def test_a_value_at_a_threshold_has_not_passed_it(frame: SensorFrame) -> None:
    history = History.of(frame.select([frame.sensors[0]]), ahead=0)
    sensor = torch.tensor([0])
    for rare, at, beyond in (
        (Rare(above=(20.0,)), 20.0, 20.01),
        (Rare(below=(3.0,)), 3.0, 2.99),
    ):
        rarity = Rarity.of(rare, history.raw)
        found = rarity.odds_of(torch.tensor([[at, beyond, np.nan]]), sensor)[0]
        assert found[0] == found[2] == 1
        assert found[1] > 1


def test_the_odds_are_those_of_the_share_beyond(frame: SensorFrame) -> None:
    history = History.of(frame, ahead=0)
    rarity = Rarity.of(Rare(top=0.05), history.raw)
    for sensor in range(3):
        found = rarity.odds_of(history.raw[[sensor]], torch.tensor([sensor]))
        rare = found > 1
        assert float(rare.float().mean()) == pytest.approx(0.05, abs=0.01)
        assert float(found.max()) == pytest.approx(19, rel=1e-4)


def test_by_density_a_tenth_is_rare_on_either_side(frame: SensorFrame) -> None:
    history = History.of(frame, ahead=0)
    rarity = Rarity.of(Rare(), history.raw)
    found = rarity.odds_of(history.raw, torch.arange(3)) > 1
    assert float(found.float().mean()) == pytest.approx(0.1, abs=0.03)


def test_peak_hours_are_local_and_count_more_in_the_fit(frame: SensorFrame) -> None:
    history = History.of(frame, ahead=24)
    rare = Rare(peak_hours=((22, 2),))
    inside = is_peak(rare, history.slot, 24)
    assert sorted(set(history.slot[inside].tolist())) == [0, 1, 22, 23]
    actual = history.raw[:, 24 * 20 : 24 * 21]
    slot = history.slot[24 * 20 : 24 * 21].expand(3, -1)
    weight = target_weights(rare, history.raw, torch.arange(3), slot, actual, 24)
    known = ~actual.isnan()
    assert float(weight[known].mean()) == pytest.approx(1, rel=1e-5)
    peak = inside[24 * 20 : 24 * 21].expand(3, -1) & known
    rest = known & ~inside[24 * 20 : 24 * 21]
    ratio = float(weight[peak].mean() / weight[rest].mean())
    assert ratio == pytest.approx(5**0.5, rel=0.01)


def test_a_ridge_counts_each_target_by_its_own_weight() -> None:
    """Many rounds of filling in part come to the exact solution, step by step."""
    draw = torch.Generator().manual_seed(0)
    seen = torch.randn(80, 3, generator=draw, dtype=torch.float64)
    residual = torch.randn(80, 2, generator=draw)
    residual[5, 1] = torch.nan
    target_weight = torch.rand(80, 2, generator=draw) * 0.5 + 0.5
    target_weight[:, 0] = 1.0
    found = solver(seen, residual, torch.ones(80), target_weight)(0.01)
    for step in range(2):
        known = ~residual[:, step].isnan()
        weight, x = target_weight[known, step].double(), seen[known]
        gram = (x * weight[:, None]).T @ x + 0.01 * 80 * torch.eye(3)
        exact = torch.linalg.solve(gram, (x * weight[:, None]).T @ residual[known, step].double())
        torch.testing.assert_close(found[:, step], exact, atol=0.01, rtol=0.05)


def test_balanced_mse_learns_the_rare_end_that_mse_draws_to_the_middle() -> None:
    draw = torch.Generator().manual_seed(0)
    actual = torch.rand(3000, 1, generator=draw).pow(6) * 4
    told = actual + 0.4 * torch.randn(3000, 1, generator=draw)
    seen = torch.cat([told, torch.ones(3000, 1)], 1)

    def miss(balanced: bool) -> float:
        """Mean signed error of a linear model where values are large."""
        weights = torch.zeros(2, 1, requires_grad=True)
        optimiser = torch.optim.Adam([weights], lr=0.05)
        for _ in range(400):
            batch = torch.randint(3000, (128,), generator=draw)
            said = seen[batch] @ weights
            squares = (said - actual[batch]).square()
            loss = balanced_mse(said, actual[batch], 0.4) if balanced else squares
            optimiser.zero_grad()
            loss.mean().backward()
            optimiser.step()
        rare = actual[:, 0] > 2
        return float((seen @ weights.detach() - actual)[rare].mean())

    assert miss(balanced=False) < -0.25
    assert abs(miss(balanced=True)) < 0.1


def test_balanced_mse_leaves_out_what_is_missing() -> None:
    said, actual = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [torch.nan]])
    found = balanced_mse(said, actual, 1.0)
    assert found[2] == 0
    torch.testing.assert_close(found[:2], balanced_mse(said[:2], actual[:2], 1.0))


# How the forecast is moved


def spread_around(mean: torch.Tensor) -> torch.Tensor:
    normal = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(LEVELS))
    return mean[..., None] + normal


def test_the_tilt_is_the_median_under_the_weights() -> None:
    """Values above 1 counting k times: half the weight lies where Φ says."""
    rarity = Rarity(torch.tensor([[1.0]]), torch.tensor([[1.0, 9.0]]))
    mean = torch.zeros(1, 1)
    moved = Tilt(rarity, 1.0).move(mean, spread_around(mean), torch.tensor([0]))
    normal = torch.distributions.Normal(0.0, 1.0)
    below = normal.cdf(torch.tensor(1.0))
    total = below + 9 * (1 - below)
    expected = normal.icdf(1 - (total / 2) / 9) if below < total / 2 else normal.icdf(total / 2)
    assert float(moved) == pytest.approx(float(expected), abs=0.06)


def test_where_rare_values_cannot_come_the_forecast_stays() -> None:
    rarity = Rarity(torch.tensor([[50.0]]), torch.tensor([[1.0, 9.0]]))
    mean = torch.tensor([[0.0, 49.0]])
    moved = Tilt(rarity, 1.0).move(mean, spread_around(mean), torch.tensor([0]))
    assert moved[0, 0] == 0
    assert moved[0, 1] > 49.1
    assert torch.equal(Tilt(rarity, 0.0).move(mean, spread_around(mean), torch.tensor([0])), mean)


def test_peaks_are_forecast_better_and_the_price_is_kept(
    frame: SensorFrame, tilted: TunedModel
) -> None:
    tilt = tilted.tuned.tilt
    assert tilt is not None
    assert tilt.power > 0
    assert tilt.cost <= tilted.rare.price  # type: ignore[union-attr]
    assert tilt.gain > 0.01
    scores = ct.backtest(tilted, frame, refit=False, against=["naive-day"], alerts=["top 5%"])
    few = np.nanmax(frame.values[: 24 * 35], 0) * 0.6
    detail = scores.detail
    peaks = detail.actual > few

    def error(name: str, where: np.ndarray) -> float:
        return float(np.abs(detail.points[name] - detail.actual)[where].mean())

    assert error("tuned", peaks) < error("tuned-plain", peaks)
    assert "Emphasis on rare values changed the mean error by" in scores.price_sentence()


def test_the_intervals_do_not_move(frame: SensorFrame, tilted: TunedModel) -> None:
    plain = fit_model(frame.until(24 * 35), horizon=24, backbone="lags")
    one, other = tilted.forecast(frame), plain.forecast(frame)
    np.testing.assert_array_equal(one.quantiles, other.quantiles)
    np.testing.assert_array_equal(one.mean, other.mean)
    assert (one.point >= other.point - 1e-3).all()
    assert (one.point > other.point).any()
    np.testing.assert_array_equal(tilted.plain.forecast(frame).point, other.point)


def test_more_power_moves_further(frame: SensorFrame) -> None:
    def level(power: float) -> float:
        rare = Rare(top=0.05, power=power)
        model = fit_model(frame, horizon=24, backbone="lags", rare=rare)
        return float(model.forecast(frame).point.mean())

    assert level(0.0) < level(0.4) < level(1.0)


def test_it_is_saved_and_carried_to_the_next_fit(
    frame: SensorFrame, tilted: TunedModel, tmp_path: Path
) -> None:
    again = load(tilted.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.forecast(frame).mean, tilted.forecast(frame).mean)
    assert again.rare == tilted.rare == Rare(top=0.05)
    assert refit(tilted, frame).rare == tilted.rare
    assert refit(tilted, frame, strategy="zero-shot").rare is None


def test_peak_hours_reach_the_fit_and_a_plain_model_stands_beside_it(frame: SensorFrame) -> None:
    train = frame.until(24 * 35)
    model = fit_model(train, horizon=24, backbone="lags", rare=Rare(peak_hours=((7, 9),), power=1))
    plain = fit_model(train, horizon=24, backbone="lags")
    assert model.tuned.tilt is None
    assert not np.array_equal(model.forecast(frame).mean, plain.forecast(frame).mean)
    scores = ct.backtest(model, frame, refit=False, against=["naive-day"])
    origins = [int(one) for one in scores.detail.origin_index]
    np.testing.assert_array_equal(
        scores.detail.points["tuned-plain"], plain.predict(frame, origins).point
    )


def test_head_sgd_takes_balanced_mse(frame: SensorFrame) -> None:
    def fitted(loss: str) -> np.ndarray:
        options = {"loss": loss, "penalty": 0.1, "stack": False}
        few = frame.until(24 * 14)
        model = fit_model(few, horizon=4, backbone="lags", strategy="head-sgd", options=options)
        return model.forecast(few).mean

    found, usual = fitted("balanced"), fitted("mse")
    assert np.isfinite(found).all()
    assert not np.allclose(found, usual)


def test_the_command_line_carries_it(
    city: City, run: Callable, tmp_path: Path, frame: SensorFrame
) -> None:
    table = tmp_path / "loops.csv"
    lines = ["time,s0,s1,s2"]
    for i in range(len(frame)):
        cells = ("" if np.isnan(v) else f"{v:.3f}" for v in frame.values[i])
        lines.append(f"2024-02-{1 + i // 24:02d} {i % 24:02d}:00," + ",".join(cells))
    table.write_text("\n".join(lines[: 1 + 24 * 29]) + "\n")
    words = ("tune", table, "--horizon", "24", "--backbone", "lags", "--rare", "top 5%")
    answer = run(*words, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "Emphasis on rare values changed the mean error by" in answer.out
    assert "tuned-plain" in answer.out
    facts = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert facts["settings"]["rare"]["top"] == 0.05
    refused = run(*words[:-1], "often", "--out", tmp_path / "other")
    assert refused.code != 0
    assert "cannot be read" in refused.err


def test_conformal_has_room_for_a_tilt_everywhere() -> None:
    """A sensor without a history is not moved."""
    raw = torch.full((1, 100), torch.nan)
    history = History(
        raw, 24, torch.arange(100), torch.zeros(100).long(), torch.zeros(100).bool(),
        torch.zeros(100).bool(), torch.zeros(0, 1, 100),
    )  # fmt: skip
    for rare in (Rare(), Rare(top=0.05), Rare(above=(3.0,))):
        rarity = Rarity.of(rare, history.raw)
        assert not rarity.found
        mean = torch.zeros(1, 4)
        quantiles = Conformal.guess(torch.ones(1), 4, 24).quantiles(
            mean, torch.tensor([0]), torch.zeros(1, 4).long()
        )
        assert torch.equal(Tilt(rarity, 1.0).move(mean, quantiles, torch.tensor([0])), mean)
