"""Promise: comparisons are fair, tidy, and say which differences are no more than noise."""

from __future__ import annotations

import builtins
import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import make_city

import citytune as ct
from citytune._text import number
from citytune.evaluation import baselines
from citytune.evaluation._origins import Origins
from citytune.evaluation._significance import diebold_mariano, holm, ratio_interval, student
from citytune.evaluation._tidy import MOST_ROWS
from citytune.forecasting import fit_model

HORIZON = 6


@pytest.fixture(scope="module")
def frame() -> ct.SensorFrame:
    return make_city(3, 40)


@pytest.fixture(scope="module")
def scores(frame: ct.SensorFrame, model: ct.TunedModel) -> ct.Scores:
    return ct.backtest(model, frame, against=["naive-day", "naive-week"], stride="12h")


@pytest.fixture
def rivals() -> Iterator[None]:
    """The shelf of rivals, which forgets after the test what is put on it."""
    kept = dict(baselines)
    yield
    baselines.clear()
    baselines.update(kept)


@pytest.fixture(scope="module")
def model(frame: ct.SensorFrame) -> ct.TunedModel:
    """Fitted on all but the last week."""
    return fit_model(frame.until(24 * 33), horizon=HORIZON, backbone="lags", strategy="zero-shot")


def last_week(history: ct.SensorFrame, horizon: int) -> np.ndarray:
    return history.values[-168:][:horizon]


# --- the tidy table ---------------------------------------------------------------------------


def test_the_tidy_table_is_the_mean_of_the_errors_at_every_level(scores: ct.Scores) -> None:
    detail = scores.detail
    error = np.abs(detail.points["naive-day"] - detail.fair)
    table = scores.to_polars(("model", "sensor", "lead"), ["mae"])
    assert table.columns == ["model", "sensor", "lead", "metric", "value"]
    own = table.filter(pl.col("model") == "naive-day")
    for sensor, lead, _, value in own.drop("model").iter_rows():
        column = error[:, lead - 1, detail.frame.sensors.index(sensor)]
        assert value == pytest.approx(np.nanmean(column), rel=1e-5)
    assert len(own) == 3 * HORIZON


def test_the_whole_table_adds_up_to_the_scores(scores: ct.Scores) -> None:
    finest = scores.to_polars(("model", "sensor", "origin", "lead"), ["mae", "rmse"])
    for name, found in scores.models.items():
        own = finest.filter(pl.col("model") == name)
        absolute = own.filter(pl.col("metric") == "mae")["value"]
        squared = own.filter(pl.col("metric") == "rmse")["value"] ** 2
        assert absolute.mean() == pytest.approx(found["mae"], rel=1e-5)
        assert squared.mean() ** 0.5 == pytest.approx(found["rmse"], rel=1e-5)
    whole = scores.to_polars("model").filter(pl.col("model") == "tuned")
    assert dict(whole.select("metric", "value").iter_rows()).items() >= scores.models[
        "tuned"
    ].items() - {("", 0.0)}


def test_an_origin_is_the_moment_of_the_forecast_in_local_time(scores: ct.Scores) -> None:
    table = scores.to_polars(("model", "origin"))
    clock = scores.detail.frame.clock
    assert table["origin"].dtype == pl.Datetime("us", clock.timezone)
    assert str(table["origin"][0])[:16] == scores.holdout_start


def test_coverage_by_sensor_is_that_of_the_tuned_model(scores: ct.Scores) -> None:
    table = scores.to_polars(metrics=["coverage_90"])
    assert set(table["model"]) == {"tuned"}
    low, high = scores.detail.quantiles[..., 0], scores.detail.quantiles[..., -1]
    fair = scores.detail.fair
    inside = ((fair >= low) & (fair <= high))[..., 0].sum() / np.isfinite(fair[..., 0]).sum()
    assert table["value"][0] == pytest.approx(inside)


def test_pandas_has_the_same_table(scores: ct.Scores) -> None:
    ours, theirs = scores.to_polars(("model", "origin")), scores.to_pandas(("model", "origin"))
    assert list(theirs.columns) == ours.columns
    assert theirs["value"].tolist() == ours["value"].to_list()
    assert theirs["origin"].dt.tz is not None
    assert theirs["model"].tolist() == ours["model"].to_list()


def test_what_cannot_be_had_is_refused_by_name(
    scores: ct.Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ct.UnknownName, match="Did you mean 'sensor'"):
        scores.to_polars(("model", "sensors"))
    with pytest.raises(ct.UnknownName, match="no metric by model and sensor is called 'mase'"):
        scores.to_polars(metrics=["mase"])
    monkeypatch.setattr("citytune.evaluation._tidy.MOST_ROWS", 100)
    with pytest.raises(ct.InputError, match=r"holds at most 100; leave a level out of by="):
        scores.to_polars(("model", "sensor", "origin", "lead"))
    assert MOST_ROWS > 1e7


def test_without_pandas_one_sentence_says_what_to_install(
    scores: ct.Scores,
    model: ct.TunedModel,
    frame: ct.SensorFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest, **more)

    forecast = model.forecast(frame)
    monkeypatch.setattr(builtins, "__import__", without)
    for table in (scores.to_pandas, scores.leaderboard().to_pandas, forecast.to_pandas):
        with pytest.raises(ct.InputError, match="not installed; run `pip install pandas`"):
            table()


# --- when forecasts are made ------------------------------------------------------------------


def test_origins_are_forecast_from_exactly(frame: ct.SensorFrame) -> None:
    rows = [24 * 20, 24 * 36 + 5]  # the clocks go forward in between
    times = [frame.clock.text(row) for row in rows]
    assert times == ["2024-03-17 00:00", "2024-04-02 06:00"]
    aware = [dt.datetime.fromisoformat(one) for one in ("2024-03-16T23:00Z", "2024-04-02T04:00Z")]
    for asked in (rows, times, [np.datetime64(one) for one in times], aware):
        found = Origins(origins=asked).rows(frame, HORIZON)
        assert found is not None
        assert found.tolist() == rows
    board = ct.compare(["naive-day"], frame, horizon=HORIZON, origins=times)
    assert board.detail.origin_index.tolist() == rows


def test_windows_end_with_the_frame_and_go_back_by_the_stride(frame: ct.SensorFrame) -> None:
    rows = Origins(windows=3, stride="5h").rows(frame, HORIZON)
    assert rows is not None
    assert rows.tolist() == [len(frame) - HORIZON - back for back in (10, 5, 0)]
    daily = Origins(windows=2).rows(frame, HORIZON)
    assert daily is not None
    assert np.diff(daily).tolist() == [24]


def test_a_model_that_saw_the_first_origin_is_fitted_anew(
    frame: ct.SensorFrame, model: ct.TunedModel
) -> None:
    whole = {"windows": 8, "stride": "24h", "against": []}
    scores = ct.backtest(model, frame, **whole)
    assert (scores.refitted, scores.origins) == (True, 8)
    with pytest.raises(ct.InputError, match=r"the first origin is .*name later ones"):
        ct.backtest(model, frame, refit=False, **whole)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"windows": 3, "days": 2}, "give one of them"),
        ({"origins": [200], "stride": 2}, "give one of them"),
        ({"windows": 0}, "how many forecasts to score, got 0"),
        ({"windows": 2.5}, "how many forecasts to score, got 2.5"),
        ({"windows": 900}, "ask for fewer windows"),
        ({"stride": 0}, "at least one step"),
        ({"stride": "90min"}, "not a whole number of steps"),
        ({"origins": []}, "name at least one moment"),
        ({"origins": ["2024-03-20 00:30"]}, "it has one every 1h, such as 2024-03-20 00:00"),
        ({"origins": ["someday"]}, "a time such as '2024-05-01 00:00', got 'someday'"),
        ({"origins": ["2031-01-01"]}, "runs from 2024-02-26 00:00 to"),
        ({"origins": [0]}, "a horizon must fit before and after it"),
    ],
)
def test_foolish_moments_are_answered_in_words(
    frame: ct.SensorFrame, asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(ct.InputError, match=says):
        ct.compare(["naive-day"], frame, horizon=HORIZON, **asked)


# --- own rivals -------------------------------------------------------------------------------


def test_a_rival_takes_part_and_sees_only_the_past(
    frame: ct.SensorFrame, model: ct.TunedModel, rivals: None
) -> None:
    seen, learnt = [], []

    def forecast(history: ct.SensorFrame, horizon: int, mean: np.ndarray) -> np.ndarray:
        seen.append(len(history))
        return np.tile(mean, (horizon, 1))

    def fit(history: ct.SensorFrame, horizon: int) -> np.ndarray:
        learnt.append(len(history))
        return np.nanmean(history.values, axis=0)

    ct.register_rival("plain-mean", forecast, fit=fit)
    scores = ct.backtest(model, frame, against=["plain-mean"], windows=4)
    assert np.isfinite(scores.models["plain-mean"]["mae"])
    assert seen[:4] == scores.detail.origin_index.tolist()
    assert learnt[0] == 24 * 33
    np.testing.assert_allclose(
        scores.detail.points["plain-mean"][0, 0],
        np.nanmean(frame.values[: 24 * 33], axis=0),
        rtol=1e-5,
    )
    board = ct.compare(["plain-mean"], frame, horizon=HORIZON)
    assert board["plain-mean"].ratio > 1


def test_a_rival_that_is_none_is_refused(frame: ct.SensorFrame, rivals: None) -> None:
    with pytest.raises(ct.InputError, match="already the name"):
        ct.register_rival("naive-day", last_week)
    with pytest.raises(ct.InputError, match="already the name"):
        ct.register_rival("tuned", last_week)
    with pytest.raises(ct.InputError, match=r"must be a function of \(history, horizon\)"):
        ct.register_rival("mine", 3)  # type: ignore[arg-type]
    with pytest.raises(ct.InputError, match=r"shape \(5, 3\); it must be \(6, 3\): steps by"):
        ct.compare({"mine": lambda h, n: last_week(h, n - 1)}, frame, horizon=HORIZON)
    with pytest.raises(ct.InputError, match="it must give numbers, 6 steps by 3 sensors"):
        ct.compare({"mine": lambda h, n: "many"}, frame, horizon=HORIZON)


def test_moments_that_a_rival_leaves_out_are_said(frame: ct.SensorFrame) -> None:
    def half(history: ct.SensorFrame, horizon: int) -> np.ndarray:
        found = last_week(history, horizon).copy()
        found[horizon // 2 :] = np.nan
        return found

    board = ct.compare({"half": half}, frame, horizon=HORIZON)
    assert any(note.startswith("half has no forecast for 5") for note in board.notes)


# --- the leaderboard --------------------------------------------------------------------------


def test_models_strategies_settings_and_functions_stand_on_one_board(
    frame: ct.SensorFrame, model: ct.TunedModel
) -> None:
    board = ct.compare(
        {
            "given": model,
            "zero": {"backbone": "lags", "strategy": "zero-shot"},
            "mine": last_week,
            "day": "naive-day",
        },
        frame,
        days=7,
    )
    assert {one.model for one in board.standings} == {"given", "zero", "mine", "day", "naive-week"}
    errors = [one.mae for one in board.standings]
    assert errors == sorted(errors)
    assert int(board.detail.origin_index[0]) == 24 * 33
    scores = ct.backtest(model, frame, against=["naive-day", "naive-week"], days=7)
    assert board["given"].mae == pytest.approx(scores.models["tuned"]["mae"], rel=0.02)
    assert board["given"].ratio == pytest.approx(board["given"].mae / board["naive-week"].mae)
    assert board["given"].coverage_90 > 0.7
    # The best of a reference is itself: no test, ratio 1.
    assert (board["naive-week"].verdict, board["naive-week"].ratio) == ("reference", 1.0)
    assert "has the lowest mean error" in str(board)
    head, *rows = (re.split(r"\s{2,}", line.strip()) for line in str(board).splitlines()[:6])
    column = head.index("p (Holm)")  # the one that decides, and no other
    assert [one for one in head if one.startswith("p ")] == ["p (Holm)"]
    told = {row[0]: row[column] for row in rows}
    assert told["zero"] == number(board["zero"].p_holm, 2)
    assert max(map(len, str(board).splitlines()[:6])) <= 80
    assert len(repr(board)) < 120
    assert len(board.to_pandas()) == len(board.to_polars()) == 5
    assert set(board.errors(("model", "lead"))["metric"]) == {"mae", "rmse", "bias"}


def test_the_scores_of_a_backtest_have_a_leaderboard(scores: ct.Scores) -> None:
    board = scores.leaderboard()
    assert board.reference == scores.best_naive
    assert board["tuned"].mae == scores.models["tuned"]["mae"]
    with pytest.raises(ct.UnknownName, match="Did you mean 'tuned'"):
        board["tunes"]


def test_the_same_forecast_twice_is_within_noise(frame: ct.SensorFrame) -> None:
    board = ct.compare({"a": "naive-day", "b": "naive-day"}, frame, horizon=HORIZON, reference="a")
    assert board["b"].p_value == 1
    assert board["b"].verdict == "within noise"
    assert [("b" in one.split(": ")[-1]) for one in board.sentences()[1:]] == [True]  # said once


def test_a_forecast_that_knows_is_better_and_one_of_noise_is_worse(frame: ct.SensorFrame) -> None:
    truth = frame.values
    draw = np.random.default_rng(0)
    board = ct.compare(
        {
            "seer": lambda history, n: np.nan_to_num(truth[len(history) :][:n], nan=1),
            "noise": lambda history, n: 5000 * draw.random((n, 3)),
        },
        frame,
        horizon=HORIZON,
        stride="12h",
    )
    assert (board["seer"].verdict, board["noise"].verdict) == ("better", "worse")
    assert board["seer"].ratio_high < 1 < board["noise"].ratio_low
    assert board.best == "seer"
    assert not board["noise"].near_best


def test_few_forecasts_claim_nothing(frame: ct.SensorFrame) -> None:
    board = ct.compare(["naive-day"], frame, horizon=HORIZON, windows=3)
    assert board["naive-day"].verdict == "too few forecasts"
    assert "nothing can be said of chance" in str(board)


def test_names_are_escaped_in_a_notebook(frame: ct.SensorFrame) -> None:
    board = ct.compare({"<script>": last_week}, frame, horizon=HORIZON)
    page = board._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("models", "options", "says"),
    [
        ({}, {"horizon": 6}, "nothing to compare"),
        (["blendd"], {"horizon": 6}, "Did you mean 'blend'"),
        (["naive-day"], {}, "compare needs a horizon"),
        (["naive-day"], {"horizon": 6, "reference": "naive-wek"}, "Did you mean 'naive-week'"),
        ({"a": {"strateggy": "blend"}}, {"horizon": 6}, "Did you mean 'strategy'"),
        ({"a": 3}, {"horizon": 6}, "'a' is a int, which cannot be compared"),
    ],
)
def test_foolish_comparisons_are_answered_in_words(
    frame: ct.SensorFrame, models: Any, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ct.InputError, match=says):
        ct.compare(models, frame, **options)


def test_models_that_do_not_fit_each_other_are_refused(
    frame: ct.SensorFrame, fit_once: Callable[..., Any]
) -> None:
    one = fit_once(3, 40, horizon=6, strategy="zero-shot").model
    longer = fit_once(3, 40, horizon=12, strategy="zero-shot").model
    with pytest.raises(ct.InputError, match="the models forecast 6 and 12 steps"):
        ct.compare({"a": one, "b": longer}, frame)
    fewer = replace(one, sensors=("s0", "s1", "other"))
    with pytest.raises(ct.InputError, match="one lacks 's2'; tune them on the same frame"):
        ct.compare({"a": one, "b": fewer}, frame)


def test_models_in_different_units_are_measured_in_one(model: ct.TunedModel) -> None:
    """The forecasts of the same model say the same, whatever their unit."""
    kilo = make_city(3, 40)
    kilo = replace(kilo, quantity=replace(kilo.quantity, name="load", unit="kW"))
    mega = replace(kilo, values=kilo.values / 1000, quantity=replace(kilo.quantity, unit="MW"))
    fitted = [
        fit_model(one.until(24 * 33), horizon=HORIZON, backbone="lags", strategy="zero-shot")
        for one in (kilo, mega)
    ]
    board = ct.compare({"kW": fitted[0], "MW": fitted[1]}, kilo, days=7)
    assert board["MW"].mae == pytest.approx(board["kW"].mae, rel=0.05)
    assert board["MW"].coverage_90 == pytest.approx(board["kW"].coverage_90, abs=0.1)
    other = replace(fitted[1], quantity=replace(mega.quantity, name="no2", unit="µg/m³"))
    with pytest.raises(ct.CitytuneError, match="tuned on no2"):
        ct.compare({"kW": fitted[0], "other": other}, kilo, days=7)


def test_a_model_that_learnt_from_fewer_rows_is_fitted_anew_or_named(
    frame: ct.SensorFrame, model: ct.TunedModel
) -> None:
    early = fit_model(frame.until(24 * 21), horizon=HORIZON, backbone="lags", strategy="zero-shot")
    both = {"early": early, "model": model}
    board = ct.compare(both, frame, days=7)
    assert board["early"].rmse == pytest.approx(board["model"].rmse)
    assert [note for note in board.notes if "fitted anew on those rows" in note]
    kept = ct.compare(both, frame, days=7, refit=False)
    assert kept["early"].rmse != pytest.approx(kept["model"].rmse)
    assert [note for note in kept.notes if note.startswith("early learnt until")]
    assert not [note for note in kept.notes if note.startswith("model learnt")]


def test_what_no_model_has_is_refused_with_what_can_be_had(frame: ct.SensorFrame) -> None:
    board = ct.compare(["naive-day"], frame, horizon=HORIZON)
    with pytest.raises(ct.InputError, match=r"of the model called 'tuned' only.*'mae', 'rmse'"):
        board.errors(metrics=["coverage_90"])
    assert len(board.errors("model", metrics=["coverage_90"])) == 2


# --- the tests of significance ----------------------------------------------------------------


@pytest.mark.parametrize("freedom", [4, 13, 29, 55, 400])
def test_the_chance_is_that_of_students_distribution(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for statistic in (0.0, 0.3, -1.0, 2.16, 4.5, 12.0):
        expected = 2 * stats.t.sf(abs(statistic), freedom)
        assert student(statistic, freedom) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_diebold_mariano_is_a_t_test_where_nothing_overlaps() -> None:
    stats = pytest.importorskip("scipy.stats")
    difference = np.random.default_rng(1).normal(0.3, 1, 20)
    statistic, chance = diebold_mariano(difference, 1)
    expected = stats.ttest_1samp(difference, 0)
    assert statistic == pytest.approx(expected.statistic)
    assert chance == pytest.approx(expected.pvalue)


def test_diebold_mariano_counts_overlapping_forecasts_as_harvey_leybourne_and_newbold() -> None:
    d = np.array([3.0, 2.5, 2.0, -1.0, -0.5, 0.5, 1.5, 2.0])
    n, h, mean = len(d), 2, d.mean()
    first = ((d - mean) ** 2).sum() / n
    second = sum((d[i] - mean) * (d[i - 1] - mean) for i in range(1, n)) / n
    # Here equal weights leave something, so no Bartlett.
    assert first + 2 * second > 0
    plain = mean / ((first + 2 * second) / n) ** 0.5
    expected = plain * ((n + 1 - 2 * h + h * (h - 1) / n) / n) ** 0.5
    assert diebold_mariano(d, h)[0] == pytest.approx(expected)


def test_holm_is_that_of_its_definition() -> None:
    assert holm([0.02, 0.5, 0.01]) == pytest.approx([0.04, 0.5, 0.03])


def test_models_of_one_skill_are_rarely_called_different() -> None:
    """With errors of neighbouring days alike, at most one in ten of equal models is singled out."""
    draw = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        noise = draw.normal(size=(2, 28))
        for i in range(1, 28):
            noise[:, i] = 0.3 * noise[:, i - 1] + noise[:, i]
        own, other = 10 + noise
        low, high = ratio_interval(own, other, 4)
        wrong += diebold_mariano(own - other, 1)[1] < 0.05 and not low <= 1 <= high
    assert wrong / 200 <= 0.12


def test_the_interval_of_a_ratio_covers_it() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        hard = draw.gamma(5, 1, 56)  # what makes a day hard for both
        own, other = (hard * share * draw.uniform(0.8, 1.2, 56) for share in (0.8, 1.0))
        low, high = ratio_interval(own, other, 4)
        covered += low <= 0.8 <= high
    assert 0.85 <= covered / 200 <= 0.99


def test_settings_may_hold_for_all_that_are_fitted(frame: ct.SensorFrame) -> None:
    both = {"a": "zero-shot", "b": {"strategy": "zero-shot", "backbone": "lags"}}
    board = ct.compare(both, frame, horizon=24, backbone="lags", windows=2)
    found = {row["model"]: row["mae"] for row in board.to_polars().iter_rows(named=True)}
    assert found["a"] == found["b"]
    with pytest.raises(ct.InputError, match=r"no setting of compare is called 'backbones'.*'backb"):
        ct.compare(["blend"], frame, horizon=24, backbones="lags")
