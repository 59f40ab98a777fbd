"""The promise: the benchmarks measure everyone on the same windows, and let nobody see ahead."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from citytune.backbones import Card, Past, load_backbone, missing
from citytune.windows import Examples, History

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CARD = Card(
    name="yesterday",
    title="Repeats the last day",
    parameters=0,
    context=48,
    horizon=30,
    features=1,
    licence="Apache-2.0",
    trained_on="nothing",
    source="a test",
)


class Yesterday:
    """A network that repeats the last day, between 90 and 110 % of it."""

    card = CARD
    levels = tuple(np.arange(1, 20) / 20)  # 0.15000000000000002 and the like

    def features(self, past: Past) -> Tensor:
        return past.values[:, :1]

    def forecast(self, past: Past, horizon: int) -> Tensor:
        day = past.values[:, -past.steps_per_day :]
        return day.repeat(1, -(-horizon // past.steps_per_day))[:, :horizon]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        factor = 0.9 + 0.2 * torch.arange(19) / 18
        return self.forecast(past, horizon)[..., None] * factor

    def blocks(self) -> Sequence[nn.Module]:
        return ()


@pytest.fixture
def zero_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, with one small set, of which no value is missing, and `Yesterday`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sets
    import zero_shot

    for module in (sets, zero_shot):
        monkeypatch.setattr(module, "DATA", tmp_path)
    sets.read.cache_clear()
    monkeypatch.setattr(zero_shot, "network", lambda name, _: known(name))
    (tmp_path / "energy").mkdir()
    table_of_buildings().write_parquet(tmp_path / "energy" / "bdg2_two_buildings.parquet")
    return zero_shot


def known(name: str) -> Any:
    return Yesterday() if name == "yesterday" else load_backbone(name)


def table_of_buildings(days: int = 60) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    hour = np.arange(24 * days)
    shape = 20 + 5 * np.sin(2 * np.pi * hour / 24) - 4 * (hour // 24 % 7 >= 5)
    start = dt.datetime(2016, 1, 4)
    return pl.DataFrame(
        {"timestamp": [start + dt.timedelta(hours=int(h)) for h in hour]}
        | {name: shape * draw.uniform(0.9, 1.1, len(hour)) for name in ("a", "b")}
    )


def test_a_network_that_repeats_yesterday_is_as_good_as_the_naive_day(
    zero_shot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    asked = "--sets bdg2 --backbones yesterday --windows 40 --out"
    zero_shot.main([*asked.split(), str(out)])
    (row,) = json.loads(out.read_text())
    found = row["networks"]["yesterday"]

    assert (row["windows"], row["targets"]) == (40, 40 * 24)
    best = row["naive"][row["best_naive"]]
    assert best == min(row["naive"][name] for name in zero_shot.NAIVE)
    assert found["mae"] == pytest.approx(row["naive"]["naive-day"] / best, rel=1e-5)
    assert found["wql"] < found["mae"]  # a spread of the right size is better than none
    assert 0.3 < found["coverage"] < 0.8
    assert "worse than naive by over 1 % on 1 of 1" in capsys.readouterr().out


def test_windows_begin_after_28_days_and_nobody_sees_ahead(zero_shot: ModuleType) -> None:
    from exam import EXAM
    from sets import read

    frame = read(next(c for c in EXAM if c.name == "bdg2_two_buildings"), known_ahead=False)
    history = History.of(frame, ahead=24)
    examples = zero_shot.windows(history, 24, 200)
    assert len(examples) == pytest.approx(200, abs=3)
    assert int(examples.origin.min()) >= 28 * 24
    assert len(examples.origin.unique() % 24) > 100
    assert set(examples.sensor.tolist()) == {0, 1}

    origin = 40 * 24
    one = Examples(torch.tensor([0]), torch.tensor([origin]))
    frame.values[origin:] = 1e6
    disturbed = History.of(frame, ahead=24)
    before = zero_shot.ask(Yesterday(), history, one, 24)
    after = zero_shot.ask(Yesterday(), disturbed, one, 24)
    np.testing.assert_array_equal(before.point, after.point)
    for said in zero_shot.naive(disturbed, one, 24).values():
        assert said.max() < 100
    assert zero_shot.last_value(frame, one, 24).max() < 100


def test_who_is_not_here_or_cannot_forecast_is_left_out_by_name(
    zero_shot: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="no backbone is left"):
        zero_shot.main(["--backbones", "lags", "citytune-bass"])
    said = capsys.readouterr().out
    assert "lags is left out: it cannot forecast" in said
    assert "citytune-bass is left out: no backbone is called" in said


def test_the_ett_protocol_has_2785_windows_in_units_of_the_training_months(
    zero_shot: ModuleType, tmp_path: Path
) -> None:
    hour = np.arange(14500)
    wave = 3 + 2 * np.sin(2 * np.pi * hour / 24)
    later = np.where(hour < zero_shot.TRAIN, 0.0, 0.5 * (hour // 24 % 2))  # in no training month
    pl.DataFrame({"date": hour, "HUFL": wave + later}).write_csv(tmp_path / "energy" / "ETTh1.csv")
    (found,) = zero_shot.ett("ETTh1", {"yesterday": Yesterday()})

    unit = wave[: zero_shot.TRAIN].std()
    first = np.arange(11520, 14400 - 96 + 1)[:, None]
    ahead = first + np.arange(96)
    repeated = wave[ahead] + later[first - 24 + np.arange(96) % 24]
    error = (repeated - wave[ahead] - later[ahead]) / unit
    assert found["windows"] == 2785
    assert found["mse"] == pytest.approx(np.square(error).mean(), rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)


def test_tuned_backbones_play_the_same_todays_and_are_compared(
    zero_shot: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    import adaptation
    from exam import EXAM

    options = argparse.Namespace(
        sets=["exam", "bdg2"], known_ahead=False, cold=False, no_boosting=True, caution=2.0,
        backbone=["lags"], cutoffs=1,
    )  # fmt: skip
    (city,) = adaptation.chosen(options)
    assert city in EXAM
    found = adaptation.trial((city, 14, 40 * 24, options))
    row = adaptation.row_of(found)
    assert row["zero_shot"] == pytest.approx(found[0]["tuned"] / found[0]["zero-shot"])

    other = row | {"backbone": "other", "tuned": 2 * row["tuned"]}
    adaptation.show([row, other], [*found, found[0] | {"backbone": "other"}])
    said = capsys.readouterr().out
    assert "tuned lags / tuned other" in said
    assert "0.500" in said


@pytest.mark.extras
def test_rare_values_are_counted_over_all_days_that_play_today(
    zero_shot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import rare
    import rare_tables
    from cutoffs import cutoff_of
    from exam import EXAM

    city = next(c for c in EXAM if c.name == "bdg2_two_buildings")
    table_of_buildings(110).write_parquet(tmp_path / "energy" / f"{city.name}.parquet")
    frame = rare.few(city, 2)
    days = [cutoff_of(frame, 28, row) for row in (24 * 60, 24 * 90)]
    about = {"set": city.name, "domain": "energy", "rare": "top 5%", "days": 28}
    found = [about | rare.trial(day, "top 5%", "lags") for day in days]
    table = rare_tables.Table([json.loads(json.dumps(one)) for one in found])

    values = events = 0
    for day in days:
        limits = np.quantile(day.known.values, 0.95, axis=0)
        values, events = values + day.actual.size, events + int((day.actual > limits).sum())
    assert table.errors["all"][0] == sum(table.levels.values) == values
    assert table.errors["rare"][0] == table.alerts["tuned-plain"].events == events
    assert sum(table.errors[name][0] for name in ("few", "medium", "many")) == values
    assert sum(table.errors[name][1] for name in ("few", "medium", "many")) == pytest.approx(
        table.errors["all"][1], rel=1e-3
    )
    assert 0.5 < table.ratio("rare") < 1.05
    assert all(0 < one["level"] <= 1 for one in found)
    rare.show(found)
    assert city.name in capsys.readouterr().out


def test_a_level_of_equal_precision_is_the_lowest_there_is(zero_shot: ModuleType) -> None:
    from levels import MIDDLE, Counts, Levels

    draw = np.random.default_rng(0)
    chance = draw.uniform(size=5000).astype(np.float32)
    came = draw.uniform(size=5000) < chance
    found = Levels.of(chance, came)
    for level in (0.0, 0.3, 0.995):
        up = chance >= level
        assert found.above(level) == Counts((up & came).sum(), up.sum(), came.sum())
    level = found.level_of(0.8)
    assert level == pytest.approx(0.6, abs=0.05)
    assert found.above(level).precision >= 0.8 > found.above(level - 0.005).precision
    assert found.level_of(0.0) == found.level_of(1.1) == MIDDLE
    twice = Levels.sum([found, found])
    assert twice.above(0.3).shares == pytest.approx(found.above(0.3).shares)
    assert twice.bins((0.0, 0.5, 1.0))[2].sum() == 2 * came.sum()


def jobs_file(zero_shot: ModuleType, tmp_path: Path, asked: str) -> Path:
    import strategies

    table_of_buildings(70).write_parquet(tmp_path / "energy" / "bdg2_two_buildings.parquet")
    out = tmp_path / "found.jsonl"
    strategies.main(["--sets", "bdg2", "--jobs", "1", "--out", str(out), *asked.split()])
    return out


@pytest.mark.extras
def test_every_strategy_plays_the_same_tasks_and_a_run_goes_on_where_it_stopped(
    zero_shot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "--days 7 --cutoffs 2 --sensors 1 --backbone lags --strategies auto"
    out = jobs_file(zero_shot, tmp_path, asked)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    played = {
        name: [one["row"] for one in found if one["strategy"] == name]
        for name in ("zero-shot", "head", "blend", "auto")
    }
    assert len(played["auto"]) == 2
    assert len({tuple(rows) for rows in played.values()}) == 1
    error = {(one["strategy"], one["row"]): one["mae"] for one in found}
    sums = [sum(error[name, row] for row in played["auto"]) for name in ("auto", "zero-shot")]
    said = capsys.readouterr().out
    assert f"{len(found)} fits, 0 of them known" in said
    assert f"{sums[0] / sums[1]:.3f} × always zero-shot" in said

    kept = "".join(out.read_text().splitlines(keepends=True)[:-1])
    out.write_text(kept)
    jobs_file(zero_shot, tmp_path, asked)
    assert f"{len(found)} fits, {len(found) - 1} of them known" in capsys.readouterr().out
    assert out.read_text().startswith(kept)
    assert len(out.read_text().splitlines()) == len(found)


def test_what_hurts_is_counted_by_task_before_and_after_the_stack(
    zero_shot: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    import strategies

    def fit(strategy: str, row: int, mae: float, **more: float) -> dict[str, Any]:
        return {
            "set": "a", "days": 7, "row": row, "backbone": "lags", "strategy": strategy,
            "mae": mae, "seconds": 3.0 if strategy == "auto" else 1.0, **more,
        }  # fmt: skip

    first = [fit("zero-shot", 1, 1.0), fit("blend", 1, 0.8), fit("lora", 1, 2.0, alone=1.2)]
    then = [fit("zero-shot", 2, 3.0), fit("blend", 2, 3.2), fit("lora", 2, 2.0, alone=2.7)]
    found = [*first, *then, *(fit("auto", row, 2.0) for row in (1, 2))]
    table = strategies.Table(found)
    assert table.by_set("blend", "zero-shot") == pytest.approx([4.0 / 4.0])
    assert strategies.harm(table.by_task("blend")) == (0.5, pytest.approx(3.2 / 3))
    assert strategies.harm(table.by_task("lora", stack=False)) == (0.5, pytest.approx(1.2))
    assert strategies.harm(table.by_task("lora")) == (0.5, pytest.approx(2.0))
    assert table.of_best() == pytest.approx([4.0 / 4.0])
    assert table.longer("auto", "blend") == [3.0, 3.0]

    refused = fit("full", 1, 0.0) | {"refused": "it has no layers to move"}
    strategies.show([*found, refused])
    said = capsys.readouterr().out
    assert "lora adds nothing over blend at 7 days: 1.000 ×" in said
    assert "auto at 7 days: 3.00 × the seconds of blend" in said
    assert "lags is left out of full: it has no layers to move" in said


def test_what_a_strategy_fitted_is_also_measured_alone(
    zero_shot: ModuleType, tmp_path: Path
) -> None:
    asked = "--days 14 --cutoffs 1 --sensors 1 --backbone lags --strategies full"
    found = {
        one["strategy"]: one
        for one in map(json.loads, jobs_file(zero_shot, tmp_path, asked).read_text().splitlines())
    }
    assert "lags" in found["full"]["refused"]
    assert not {"alone"} & {*found["blend"], *found["zero-shot"]}
    assert found["head"]["alone"] != found["head"]["mae"]


def test_trust_is_compared_with_all_the_way(
    zero_shot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import gate

    table_of_buildings(70).write_parquet(tmp_path / "energy" / "bdg2_two_buildings.parquet")
    asked = "--sets bdg2 --days 14 --cutoffs 2 --sensors 1 --backbone lags --jobs 1"
    gate.main(asked.split())
    said = capsys.readouterr().out
    assert "2 of 2: bdg2_two_buildings" in said
    assert "lags, all" in said
    job = gate.Job(None, 7, 1, "lags", 1)
    gate.row("x", [gate.Found(job, 0.5, 1.005, 1.2), gate.Found(job, 1.0, 0.995, 0.9)])
    cells = " ".join(capsys.readouterr().out.split())
    assert cells == "x 2 1.000 0.0% 0.0% 1.005 1.039 50.0% 50.0% 1.200 0.75"


@pytest.mark.extras
def test_a_models_own_quantiles_are_compared_with_those_of_past_errors(
    zero_shot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import intervals

    table_of_buildings(70).write_parquet(tmp_path / "energy" / "bdg2_two_buildings.parquet")
    intervals.main(["--sets", "bdg2", "--days", "28", "--cutoffs", "1", "--jobs", "1"])
    said = capsys.readouterr().out
    assert "28, energy" in said
    ratio, own, past, brier = (
        float(cell.rstrip("%")) for cell in said.splitlines()[-1].split()[2:6]
    )
    assert 0.3 < ratio < 1.1
    assert 60 < own <= 100
    assert 60 < past <= 100
    assert brier < 2


@pytest.mark.extras  # it trains a network of others
@pytest.mark.usefixtures("weights")
@pytest.mark.filterwarnings("ignore")
def test_granite_tsfm_sees_the_same_windows_and_learns_from_what_was_measured(
    zero_shot: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("tsfm_public")
    if "ttm-r2" in missing():
        pytest.skip("the weights of ttm-r2 are not on this machine")
    import few_shot
    from cutoffs import cutoff_of
    from exam import EXAM
    from sets import read

    frame = read(next(c for c in EXAM if c.name == "bdg2_two_buildings"), known_ahead=False)
    frame.values[1100:1130, 0] = np.nan
    today = cutoff_of(frame, 28, 51 * 24)
    try:
        few_shot.pretrained("two buildings", 48)
    except SystemExit as error:
        pytest.skip(str(error))
    other = few_shot.theirs(today, "two buildings", epochs=1, rate=1e-3)
    plain = few_shot.ours(today, "zero-shot").mean
    assert other.said.mean.shape == today.actual.shape
    np.testing.assert_allclose(other.untouched, plain, rtol=1e-3)
    assert other.epochs == 1
    assert np.abs(other.said.mean - other.untouched).max() > 1e-3

    data, measured = few_shot.laid_out(today)
    assert np.isfinite(data["sensor 0"]).all()
    first = 51 * 24 - 28 * 24 - 512
    assert (~measured[:, 0]).nonzero()[:, 0].tolist() == list(range(1100 - first, 1130 - first))
    windows = few_shot.Windows([{}] * 100, measured, 3, 48)
    shown = windows[5]["future_observed_mask"]
    np.testing.assert_array_equal(shown, measured[3 + 5 + 512 :][:48])


@pytest.mark.extras
def test_experts_are_compared_with_a_fit_without_some_of_them(
    zero_shot: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import experts
    from sets import City

    buildings = City(name="bdg2_two_buildings", domain="energy", country=None, quantity="load")
    monkeypatch.setattr(experts, "SETS", (buildings,))
    experts.main(["--days", "14", "--cutoffs", "1", "--sensors", "1"])
    said = capsys.readouterr().out
    assert "bdg2_two_buildings, 14, 0.30" in said
    mase, without, tuned = (float(cell) for cell in said.splitlines()[-1].split()[2:5])
    assert 0 < mase < 2
    assert 0.9 < without < 1.1
    assert 0.9 < tuned < 1.1


def task_of_rivals() -> Any:
    """The last ten of 52 days of two buildings, of which one misses two days of readings."""
    from exam import EXAM
    from long import Job, today_of
    from sets import read

    city = next(c for c in EXAM if c.name == "bdg2_two_buildings")
    read(city, known_ahead=False).values[480:528, 0] = np.nan
    return today_of(Job(city, 14, 50 * 24, 2, "usual", False, 1))


@pytest.mark.usefixtures("zero_shot")
def test_rivals_see_what_was_read_until_then_and_the_calendar_ahead() -> None:
    pytest.importorskip("pandas")
    import rivals

    today = task_of_rivals()
    origins = today.origins[:2]
    before = rivals.table(today, [(0, o) for o in origins], filled=True)
    ahead = rivals.table(today, [(o, o + 24) for o in origins])
    assert list(before["unique_id"].unique()) == [f"{i:06d}" for i in range(4)]
    last, first = (t.groupby("unique_id")["ds"] for t in (before, ahead))
    hours = (first.min() - last.max()).dt.total_seconds() / 3600
    assert hours.tolist() == [1.0] * 4

    values, own = today.frame.values[: origins[1]], before[before["unique_id"] == "000002"]
    gap = np.isnan(values[:, 0])
    assert gap.sum() == 48
    np.testing.assert_array_equal(own["available_mask"] == 0, gap)
    start = gap.argmax()
    day_before = np.tile(values[start - 24 : start, 0], 2)
    np.testing.assert_array_equal(own["y"][gap], day_before)

    rows = np.arange(2 * 2 * 24 * 11).reshape(-1, 11)
    said = rivals.laid_out(rows, today)
    assert said.shape == (2, 24, 2, 11)
    assert said[1, 5, 0, 3] == rows[2 * 24 + 5, 3]


@pytest.mark.usefixtures("zero_shot")
def test_rivals_are_compared_task_by_task_and_who_is_not_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import rivals

    def beyond(factor: float) -> Any:
        def fit(today: Any, seconds: float) -> Any:
            levels = np.linspace(0.9, 1.1, 11, dtype=np.float32)
            return lambda: factor * np.nan_to_num(today.actual)[..., None] * levels

        return fit

    made = {"untuned": beyond(1.2), "tuned": beyond(1.1), "nhits": beyond(1.4)}
    monkeypatch.setattr(rivals, "MODELS", {**rivals.MODELS, **made, "autogluon": None})
    monkeypatch.setitem(rivals.NEEDS, "autogluon", "nobody_has.this")
    monkeypatch.setitem(rivals.NEEDS, "nhits", "json")
    out = tmp_path / "rivals.jsonl"
    asked = ["--sets", "bdg2", "--days", "14", "--weeks", "1", "--out", str(out), "--models"]
    rivals.main([*asked, *made, "autogluon", *rivals.NAIVE])
    said = capsys.readouterr().out
    assert "autogluon is left out; to have it: pip install nobody_has.this" in said
    assert "tuned over NHITS: 0.250, worst set 0.250" in said
    row = next(line for line in said.splitlines() if line.startswith("all")).split()
    assert [float(cell) for cell in row[2:4]] == [0.5, 2.0]  # MASE over untuned
    assert row[7:10] == ["0.0%", "100.0%", "0.0%"]

    kept = out.read_text()
    rivals.main([*asked, *made, *rivals.NAIVE])
    assert out.read_text() == kept


@pytest.mark.usefixtures("zero_shot")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["nhits", "autogluon"])
def test_rivals_that_are_installed_forecast_every_moment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rivals

    pytest.importorskip(rivals.NEEDS[name])
    monkeypatch.setattr(rivals, "MOST_STEPS", rivals.CHECK_EVERY)
    today = task_of_rivals()
    said = rivals.MODELS[name](today, 20.0)()
    assert said.shape == (*today.actual.shape, 11)
    assert np.isfinite(said).all()
    assert (np.diff(said, axis=-1) >= 0).all()
