"""Promise: Monday is one command; the record of what was forecast grows and loses nothing."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.evaluation import by_week, keep_scores, kept_scores, verified
from citytune.forecasting import TunedModel, _copula, _past, learn_copula, past_of, refit
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.runs import RECORD, _comparing, _reasons
from citytune.runs._changes import kept_readings
from citytune.runs._folder import Seal
from citytune.runs._joined import _knows_all, _with
from citytune.watching import Alarm

pytestmark = pytest.mark.usefixtures("plain_report")
SETTINGS: dict[str, Any] = {"backbone": "lags", "strategy": "zero-shot", "horizon": 24}
NAMES = ("north", "south")
ELSEWHERE: dict[str, Any] = {"quantity": "pm2.5", "unit": "µg/m³"}


def hours_of(days: int) -> np.ndarray:
    return np.datetime64("2024-01-01T00", "us") + np.arange(24 * days) * np.timedelta64(1, "h")


def readings(days: int) -> pl.DataFrame:
    """The first days of two sensors with a rhythm, a gap in the second."""
    rows = 24 * days
    draw = np.random.default_rng(5)
    hours = np.arange(24 * 40)
    noise = draw.normal(0, 3, (len(hours), 2))
    level = 40 + 20 * np.sin(2 * np.pi * hours / 24)[:, None] + 5 * np.arange(2) + noise
    table = pl.DataFrame({"time": hours_of(days)})
    for i, name in enumerate(NAMES):
        table = table.with_columns(pl.Series(name, np.round(level[:rows, i], 1)))
    gap = (pl.col("time") == pl.datetime(2024, 1, 15, 5)) & (days <= 20)
    return table.with_columns(pl.when(gap).then(None).otherwise("south").alias("south"))


def write(path: Path, table: pl.DataFrame) -> Path:
    table.write_csv(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, plainly: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write(folder / "air.csv", readings(20))
    options = {"quantity": "pm2.5", "unit": "µg/m³", "alerts": [">50", "<5"]}
    with plainly():
        ct.run(folder / "air.csv", out=folder / "run", **SETTINGS, **options)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A folder with a run that may be spoilt, and later readings."""
    shutil.copytree(made / "run", tmp_path / "run")
    write(tmp_path / "week.csv", readings(27))
    write(tmp_path / "later.csv", readings(34))
    return tmp_path


def of_a_day_more(place: Path) -> ct.Run:
    """The run when it has learnt a day, so that a refit is another model."""
    run = ct.open_run(place / "run")
    run.refresh(write(place / "first.csv", readings(21)))
    return run


def with_copula(run: ct.Run, monkeypatch: pytest.MonkeyPatch) -> ct.Run:
    """The run with a model that knows how its errors go together, as one of a longer history."""
    for module in (_past, _copula):
        monkeypatch.setattr(module, "FEWEST_DATES", 2)
    model = run.model
    frame = ct.read(readings(20), **ELSEWHERE)
    copula = learn_copula(model, frame)
    assert copula is not None
    replace(model, copula=copula).save(run.path / "model")
    return ct.open_run(run.path)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_refresh_verifies_learns_forecasts_and_reports(place: Path, whole_report: None) -> None:
    run = ct.open_run(place / "run")
    found = run.refresh(place / "week.csv")
    assert found.changes == (
        "168 new steps, from 2024-01-21 00:00 to 2024-01-27 23:00, 0 % missing",
        "1 reading that was missing came in",
    )
    assert found.last is not None
    assert (found.last.first, found.last.last) == ("2024-01-21 00:00", "2024-01-21 23:00")
    assert found.last.values == 48
    assert found.record == found.last
    assert found.scores is not None
    assert found.scores.holdout_start == "2024-01-16 00:00"
    assert found.forecast.clock.text(0) == "2024-01-28 00:00"
    assert run.changed() == ()
    assert "2024-01-28" in run.report.read_text("utf-8")
    again = ct.open_run(place / "run")
    np.testing.assert_array_equal(again.forecast().mean, found.forecast.mean)
    assert again.scores is not None
    assert again.scores["holdout"]["start"] == "2024-01-16 00:00"
    assert again.scores["record"]["values"] == 48
    assert [*again.scores["record"]["weeks"]] == ["2024-01-15"]


def test_the_test_period_stays_and_what_came_since_is_added(
    place: Path, whole_report: None
) -> None:
    run = ct.open_run(place / "run")
    before = run.scores
    assert before is not None
    for file in ("week.csv", "later.csv"):
        found = run.refresh(place / file)
        after = run.scores
        assert after is not None
        for part in ("holdout", "models", "regions", "alerts"):
            assert after[part] == before[part]
        page = re.sub(r"</?span[^>]*>", "", run.report.read_text("utf-8"))
        assert f"{before['holdout']['start']} to {before['holdout']['end']}" in page
        assert "What came true since" in page
        assert found.record is not None
        assert f"for {found.record.first} to {found.record.last}" in page
    assert after["record"]["values"] == 96
    assert page.count('data-chart="week') == 4  # error, coverage, two alerts


def test_a_sensor_that_froze_is_said(
    run: Callable[..., Any], tmp_path: Path, whole_report: None
) -> None:
    table = pl.concat(
        [readings(40).with_columns(pl.col("time") + pl.duration(days=40 * i)) for i in range(2)]
    )
    write(tmp_path / "air.csv", table[: 24 * 70])
    options = {"quantity": "pm2.5", "unit": "µg/m³", "alerts": [">66"]}
    ct.run(tmp_path / "air.csv", out=tmp_path / "run", **SETTINGS, **options)
    frozen = pl.when(pl.int_range(pl.len()) >= 24 * 71).then(33.3).otherwise("south")
    write(tmp_path / "air.csv", table.with_columns(frozen.alias("south")))
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    found = ct.open_run(tmp_path / "again").refresh(by="update")
    assert found.raised == ()  # its forecast is of nine days ago
    assert [one.sensor for one in found.held] == ["south"]
    assert found.held[0].chance > 0.3
    assert found.held[0].quality == "fallback: last good day (silent since 2024-03-12)"
    code, said, _ = run("refresh", tmp_path / "run", "--update")
    assert code == 0
    assert "No alert of south, which measures nothing" in said
    assert " !" not in said
    assert "Unusual: 'south'" in said
    assert "'north'" not in said
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "<strong>Unusual:</strong> &#39;south&#39;" in page


def test_the_kept_scores_are_the_scores(made: Path, tmp_path: Path) -> None:
    frame = ct.read(made / "air.csv", quantity="pm2.5", unit="µg/m³")
    scores = ct.backtest(ct.tune(frame, **SETTINGS), frame, days=3, alerts=[">50", "top 5%"])
    keep_scores(scores, tmp_path / "kept")
    again = kept_scores(tmp_path / "kept")
    assert str(again) == str(scores)
    assert json.dumps(again.summary()) == json.dumps(scores.summary())
    assert [*again.detail.points] == [*scores.detail.points]
    for name, point in scores.detail.points.items():
        np.testing.assert_array_equal(again.detail.points[name], point)
        np.testing.assert_array_equal(again.detail.mean_of(name), scores.detail.mean_of(name))
    clock, row = again.detail.frame.clock, int(again.detail.origin_index[1])
    assert clock.text(row) == frame.clock.text(int(scores.detail.origin_index[1]))
    (tmp_path / "kept").write_bytes(b"no scores")
    with pytest.raises(ct.RunError, match=r"kept is damaged, or of another version"):
        kept_scores(tmp_path / "kept")


def test_kept_readings_without_their_times_are_damaged(place: Path) -> None:
    path = place / "run" / RECORD / "readings.parquet"
    table = pl.read_parquet(path)
    table.rename({table.columns[0]: "other"}).write_parquet(path)
    with pytest.raises(ct.RunError, match=r"readings\.parquet is damaged \(.*\); restore it"):
        ct.open_run(place / "run").forecast(place / "week.csv")


def test_kept_readings_that_were_changed_are_not_forecast_from(place: Path) -> None:
    run = ct.open_run(place / "run")
    week = pl.read_csv(place / "week.csv", try_parse_dates=True)
    late = week.tail(30)
    late.write_csv(place / "late.csv")
    assert run.forecast(place / "late.csv") is not None
    path = place / "run" / RECORD / "readings.parquet"
    table = pl.read_parquet(path)
    table.with_columns(2 * pl.col(table.columns[-1])).write_parquet(path)
    for ask in (run.forecast, run.score):
        with pytest.raises(ct.RunError, match=r"not as citytune wrote it \(record/readings"):
            ask(place / "late.csv")


def test_a_history_too_short_for_a_test_has_one_after_the_first_refresh(tmp_path: Path) -> None:
    made = ct.run(write(tmp_path / "new.csv", readings(15)[:36]), out=tmp_path / "run", **SETTINGS)
    assert made.made_from.scores is None
    found = made.refresh(write(tmp_path / "more.csv", readings(10)))
    assert found.scores is not None
    assert found.scores.holdout_start == "2024-01-02 12:00"


def test_the_better_of_update_and_refit_on_the_newest_days_is_taken(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = of_a_day_more(place)
    found = run.refresh(place / "week.csv")
    assert found.how == (  # the first of them from the record
        "The model has learnt what is new: on 7 forecasts of the newest days, a refit has about "
        "the same error. They were compared because 7 days are new since the last time."
    )
    again = run.refresh(write(place / "day.csv", readings(28)))
    assert again.how == waits("8 more days")
    monkeypatch.setattr(_comparing, "_saved", lambda *_: 0.2)
    found = run.refresh(write(place / "more.csv", readings(36)))
    assert found.how == (
        "The model was fitted anew: on 8 forecasts of the newest days, a refit has 20 % lower "
        "error. They were compared because 9 days are new since the last time."
    )
    assert run.changed() == ()
    last = run.refresh(write(place / "last.csv", readings(37)))
    assert last.how == waits("11 more days")


def waits(days: str) -> str:
    return (
        f"The model has learnt what is new, and was not compared with a refit: that is done after "
        f"{days} of readings, or when forecasts get worse (--refit does one now)."
    )


@pytest.fixture(scope="module")
def compared_once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(made / "run", folder / "run")
    of_a_day_more(folder).refresh(write(folder / "week.csv", readings(27)))
    return folder / "run"


@pytest.fixture
def compared(compared_once: Path, place: Path) -> ct.Run:
    """A run of 27 days that was compared with a refit just now, the next time after nine days."""
    return ct.open_run(shutil.copytree(compared_once, place / "compared"))


def test_a_week_more_is_learnt_without_a_comparison(
    compared: ct.Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(compared.path, place / "other")
    monkeypatch.setattr(_comparing, "_other", None)  # which is not asked
    found = compared.refresh(place / "later.csv")
    assert found.how == waits("2 more days")
    alone = ct.open_run(place / "other").refresh(place / "later.csv", by="update")
    assert alone.how == "The model has learnt what is new."
    np.testing.assert_array_equal(found.forecast.quantiles, alone.forecast.quantiles)


def test_worse_forecasts_are_a_reason_to_compare(
    compared: ct.Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reasons, "WORSE", 0.01)
    found = compared.refresh(place / "later.csv")
    assert re.search(
        r"on 7 forecasts .* They were compared because its error, over that of yesterday's and of "
        r"last week's values, is at least [01]\.\d+ times that of the test period\.$",
        found.how,
    )
    day = compared.refresh(write(place / "day.csv", readings(35)))
    assert day.how == waits("10 more days")  # a few days say nothing


def test_an_alarm_of_forecasts_is_a_reason_to_compare_once(
    compared: ct.Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ct.watching.watch
    raised: list[Alarm] = []
    monkeypatch.setattr(
        ct.watching, "watch", lambda *given: replace(seen(*given), alarms=tuple(raised))
    )
    shutil.copytree(compared.path, place / "other")
    raised[:] = [
        Alarm("silent", "south", "2024-01-30", "2024-02-01"),
        Alarm("error", "north", "2024-01-20", "2024-01-21", evidence={"error": 2.0}),
    ]  # a sensor that is broken, and what the last comparison has seen
    assert compared.refresh(place / "later.csv").how == waits("2 more days")
    raised.append(Alarm("error", "north", "2024-01-30", "2024-02-01", evidence={"error": 2.0}))
    found = ct.open_run(place / "other").refresh(place / "later.csv")
    assert found.how.endswith(
        "They were compared because the forecasts of 1 sensor are not as good as they were."
    )


def test_how_much_worse_is_told_against_yesterday_and_last_week() -> None:
    days, draw = 30, np.random.default_rng(2)
    level = 10 + np.repeat(draw.normal(0, 1, days), 24)[:, None]
    table = pl.DataFrame({"time": hours_of(days), "a": level[:, 0], "b": 3 * level[:, 0]})
    frame = ct.read(table, quantity="pm2.5", unit="µg/m³")
    scores = ct.backtest(ct.tune(frame.until(24 * 20), **SETTINGS), frame.until(24 * 24))
    detail, rows = scores.detail, 24 * np.arange(24, 29)
    actual = frame.values[rows[:, None] + np.arange(24)]
    yesterday = frame.values[rows[:, None] + np.arange(-24, 0)]
    last_week = frame.values[rows[:, None] + np.arange(-168, -144)]

    def error(forecast: np.ndarray, came: np.ndarray) -> float:
        return float(np.abs(forecast - came).sum())

    mine = error(detail.points["tuned"], detail.actual)
    allowed = [  # the error that is as good, by each rule
        mine / error(detail.points[name], detail.actual) * error(rule, actual)
        for name, rule in (("naive-day", yesterday), ("naive-week", last_week))
    ]

    def off(times: float, by: float) -> str:
        own = actual + (yesterday - actual) * times * by / error(yesterday, actual)
        return _reasons.worse(detail, frame, rows, own, ("a", "b"))

    assert off(1.5, max(allowed)) == (
        "its error, over that of yesterday's and of last week's values, is at least 1.5 times that "
        "of the test period"
    )
    assert not off(1.1, max(allowed))
    assert 1.25 * min(allowed) < 1.2 * max(allowed)
    assert not off(1.25, min(allowed))  # by one of them alone
    assert not _reasons.worse(detail, frame, rows[:3], 2 * actual[:3], ("a", "b"))


def test_a_run_that_does_not_say_when_it_was_compared_is_compared_in_time(
    compared: ct.Run, place: Path
) -> None:
    """As folders of earlier versions."""
    seal = Seal.read(compared.path)
    replace(seal, made={n: v for n, v in seal.made.items() if n != "compared"}).write(compared.path)
    assert compared.refresh(place / "later.csv").how == waits("2 more days")
    found = compared.refresh(write(place / "more.csv", readings(36)))
    assert "because 9 days are new" in found.how


def test_a_refit_is_not_compared_with_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ct.open_run(place / "run")
    model, frame = run.model, ct.read(place / "week.csv", quantity="pm2.5", unit="µg/m³")
    rows = [24 * 20, 24 * 23, 24 * 26]
    again = refit(model, frame.until(24 * 20)).predict(frame, rows)
    np.testing.assert_allclose(model.predict(frame, rows).point, again.point, rtol=1e-5)

    monkeypatch.setattr(_comparing, "_other", None)  # which is not asked
    assert run.refresh(place / "week.csv").how == (
        "The model has learnt what is new: it was fitted to all that came before, so that a refit "
        "would be the same."
    )
    found = run.refresh(write(place / "day.csv", readings(28)))
    assert found.how == waits("8 more days")


def test_what_is_learnt_during_a_comparison_is_what_is_learnt_alone(place: Path) -> None:
    shutil.copytree(of_a_day_more(place).path, place / "other")
    during = ct.open_run(place / "run").refresh(place / "week.csv")
    alone = ct.open_run(place / "other").refresh(place / "week.csv", by="update")
    assert "on 7 forecasts" in during.how
    np.testing.assert_allclose(during.forecast.quantiles, alone.forecast.quantiles, rtol=1e-5)
    assert during.alarms == alone.alarms


def test_the_errors_of_the_record_are_those_of_the_forecast(place: Path) -> None:
    run = ct.open_run(place / "run")
    before = run.forecast()
    found = run.refresh(place / "week.csv")
    actual = ct.read(place / "week.csv").values[24 * 20 : 24 * 21]
    yesterday = ct.read(place / "week.csv").values[24 * 19 : 24 * 20]
    inside = (actual >= before.quantiles[..., 0]) & (actual <= before.quantiles[..., -1])
    assert found.last is not None
    assert found.last.mae == pytest.approx(np.abs(actual - before.point).mean(), rel=1e-4)
    assert found.last.naive == pytest.approx(np.abs(actual - yesterday).mean(), rel=1e-4)
    assert found.last.coverage == pytest.approx(inside.mean())
    said, came = found.last.alerts["p_above_50"]
    assert said == pytest.approx(before.probability_above(50).mean(), rel=1e-4)
    assert came == pytest.approx((actual > 50).mean())


def test_the_record_grows_and_loses_nothing(place: Path) -> None:
    run = ct.open_run(place / "run")
    first = run.record
    assert first["actual"].is_nan().all()
    run.refresh(place / "week.csv")
    second = run.record
    run.update(place / "later.csv")  # an update keeps it as well
    third = run.record
    assert [len(one) for one in (first, second, third)] == [48, 96, 144]
    said = [name for name in first.columns if name != "actual"]
    assert second[:48][said].equals(first[said])
    assert third[:48].equals(second[:48])
    assert third[48:96][said].equals(second[48:][said])
    assert third["actual"][:96].is_not_nan().all()
    assert third["issued"].unique().len() == 3
    weeks = by_week(third)
    assert list(weeks) == ["2024-01-15", "2024-01-22"]
    assert sum(one.values for one in weeks.values()) == 96
    assert verified(third[96:]) is None


def test_what_came_late_is_verified_late(place: Path) -> None:
    part = readings(27).with_columns(
        pl.when(pl.col("time") < pl.datetime(2024, 1, 21, 12)).then("north").alias("north")
    )
    run = ct.open_run(place / "run")
    found = run.refresh(write(place / "part.csv", part))
    assert found.last is not None
    assert found.last.values == 36
    found = run.refresh(place / "later.csv")
    assert found.last is not None
    assert found.last.values == 48 + 12
    assert found.record is not None
    assert found.record.values == 96


@pytest.mark.parametrize(
    ("days", "change", "said"),
    [
        (20, pl.col("north"), "has no rows after 2024-01-20 23:00, which the run has read already"),
        (19, pl.col("north"), "ends at 2024-01-19 23:00, but the run has read until 2024-01-20 23"),
        (27, pl.col("north") * 10, r"contradicts what the run has read: \d+ % of .* of north"),
    ],
)
def test_a_source_that_cannot_be_is_refused_and_nothing_changes(
    place: Path, days: int, change: pl.Expr, said: str
) -> None:
    before = content(place / "run")
    file = write(place / "odd.csv", readings(days).with_columns(change.alias("north")))
    with pytest.raises(ct.InputError, match=said) as error:
        ct.open_run(place / "run").refresh(file)
    assert "\n" not in str(error.value)
    assert content(place / "run") == before
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_readings_that_were_corrected_are_told(place: Path) -> None:
    some = (pl.col("time") >= pl.datetime(2024, 1, 10)) & (
        pl.col("time") < pl.datetime(2024, 1, 11)
    )
    table = readings(27).with_columns(
        pl.when(some).then(pl.col("north") + 9).otherwise("north").alias("north"),
        pl.when(pl.col("time") == pl.datetime(2024, 1, 9)).then(None).otherwise("south")
        .alias("south"),
    )  # fmt: skip
    found = ct.open_run(place / "run").refresh(write(place / "mended.csv", table))
    assert "24 readings read before are others now, of north" in found.changes
    assert "1 reading read before is missing now" in found.changes


def test_what_was_corrected_is_told_where_nothing_is_new(place: Path) -> None:
    """A refresh must not say that all is well with a file that says something else."""
    before = content(place / "run")
    odd = pl.col("time") == pl.datetime(2024, 1, 12, 5)
    mended = readings(20).with_columns(north=pl.when(odd).then(99.0).otherwise("north"))
    with pytest.raises(ct.InputError, match=r"but 1 reading read before is another now.*--refit"):
        ct.open_run(place / "run").refresh(write(place / "mended.csv", mended))
    other = readings(20).with_columns(north=pl.col("north") * 1000)
    with pytest.raises(ct.InputError, match="contradicts what the run has read"):
        ct.open_run(place / "run").refresh(write(place / "other.csv", other))
    assert content(place / "run") == before


def test_a_run_remembers_where_it_came_from(place: Path, made: Path, tmp_path: Path) -> None:
    write(made / "air.csv", readings(27))
    try:
        found = ct.open_run(place / "run").refresh()
    finally:
        write(made / "air.csv", readings(20))
    assert found.forecast.clock.text(0) == "2024-01-28 00:00"
    ct.run(readings(20), out=tmp_path / "table", **SETTINGS)
    with pytest.raises(ct.RunError, match="made from a table and not from a file; name the source"):
        ct.open_run(tmp_path / "table").refresh()


def test_refitting_does_the_whole_job_again(place: Path) -> None:
    found = ct.open_run(place / "run").refresh(place / "week.csv", by="refit")
    assert found.scores is not None
    assert found.scores.holdout_start == "2024-01-21 06:00"  # a quarter of 27 days
    assert len(ct.open_run(place / "run").record) == 96
    with pytest.raises(ct.InputError, match=r"no way to refresh is called 'fit'. Did you mean"):
        ct.open_run(place / "run").refresh(place / "later.csv", by="fit")  # type: ignore[arg-type]


def test_a_kill_leaves_the_old_run_and_its_record(place: Path) -> None:
    before = content(place / "run")
    code = textwrap.dedent(f"""
        import os, signal
        import citytune as ct
        from citytune.runs import _refresh, _renew
        stop = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        _renew.note_readings = stop
        ct.open_run({str(place / "run")!r}).refresh({str(place / "week.csv")!r})
    """)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert content(place / "run") == before
    run = ct.open_run(place / "run")
    assert len(run.record) == 48
    run.refresh(place / "week.csv")
    assert len(run.record) == 96


def test_a_damaged_record_is_named_and_nothing_changes(place: Path) -> None:
    table = next((place / "run" / RECORD).glob("2024*.parquet"))
    table.write_bytes(b"not a table")
    with pytest.raises(ct.RunError, match=r"not as citytune wrote it \(record/2024-01-21T0"):
        ct.open_run(place / "run").refresh(place / "week.csv")
    assert table.read_bytes() == b"not a table"


@pytest.mark.parametrize("how", ["changed", "gone", "added"])
def test_a_record_that_was_tampered_with_is_not_sealed_as_good(place: Path, how: str) -> None:
    table = next((place / "run" / RECORD).glob("2024*.parquet"))
    if how == "changed":
        pl.read_parquet(table).with_columns(point=pl.col("point") + 1).write_parquet(table)
    elif how == "gone":
        table.unlink()
    else:
        shutil.copy(table, table.with_name("2024-01-14T000000.parquet"))
    before = content(place / "run")
    for way in ("refresh", "update"):
        with pytest.raises(ct.RunError, match="put it back from a copy, or make the run anew"):
            getattr(ct.open_run(place / "run"), way)(place / "week.csv")
    assert content(place / "run") == before


def test_the_command_tells_all_of_it_and_warns(
    place: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run("refresh", place / "run", place / "week.csv")
    assert (code, err) == (3, "")
    for said in (
        "168 new steps, from 2024-01-21 00:00",
        "The last forecast: mean error ",
        "of 48 values in the 90 % interval.",
        "Sunday 2024-01-28, pm2.5 in µg/m³:",
        "Alert: south, pm2.5 > 50 µg/m³: ",
        "report.html",
    ):
        assert said in out
    code, out, err = run("refresh", place / "run", place / "week.csv")
    assert (code, out) == (0, "")
    assert "has no rows after 2024-01-27 23:00, which the run has read already, so the run" in err
    code, out, err = run("refresh", place / "run", place / "week.csv", "--json")
    assert (code, err) == (0, "")
    assert "has no rows after" in json.loads(out)["nothing_new"]
    code, out, _ = run("refresh", place / "run", place / "later.csv", "--json")
    found = json.loads(out)
    assert (code, found["last"]["values"], found["day"]) == (3, 48, "Sunday 2024-02-04")
    assert {row["alert"] for row in found["raised"]} == {"pm2.5 > 50 µg/m³"}


def test_the_weeks_of_the_record_are_a_table_that_fits(
    place: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run("score", place / "run")
    assert (code, out) == (
        0,
        "Nothing that was forecast has been measured yet; `citytune refresh` reads what came.\n",
    )
    ct.open_run(place / "run").refresh(place / "week.csv", by="update")
    for width in ("80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        code, out, err = run("score", place / "run")
        assert (code, err) == (0, "")
        assert "2024-01-15      48" in out
        assert "change: of the error, against yesterday's values." in out
        assert "alert 1: pm2.5 > 50 µg/m³; its mean chance" in out
        assert max(map(len, out.splitlines())) <= int(width)
    found = json.loads(run("score", place / "run", "--json")[1])["record"]
    assert found["values"] == found["weeks"]["2024-01-15"]["values"] == 48
    shutil.rmtree(place / "run" / RECORD)
    code, out, err = run("score", place / "run")
    assert (code, out) == (2, "")
    assert "is not as citytune wrote it" in err
    code, _, err = run("score", place / "run", "--days", "3")
    assert code == 2
    assert "--days and --alert are about a FILE to score; name it, too" in err


def test_quiet_says_nothing_but_errors(place: Path, run: Callable[..., Any]) -> None:
    code, out, err = run("refresh", place / "run", place / "week.csv", "--update", "--quiet")
    assert (code, out, err) == (3, "", "")
    code, out, err = run("refresh", place / "run", place / "nosuch.csv", "-q")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    code, out, _ = run("score", place / "run")  # it does not last
    assert (code, bool(out)) == (0, True)


def test_without_an_alert_passed_the_exit_code_is_zero(
    made: Path, place: Path, run: Callable[..., Any]
) -> None:
    options = {"quantity": "pm2.5", "alerts": [">500"]}
    ct.run(made / "air.csv", out=place / "calm", **SETTINGS, **options)
    assert run("refresh", place / "calm", place / "week.csv")[0] == 0


def test_an_export_of_what_is_new_does_as_well_as_the_whole(place: Path) -> None:
    shutil.copytree(place / "run", place / "other")
    whole, part = ct.open_run(place / "run"), ct.open_run(place / "other")
    file = write(place / "part.csv", readings(27)[24 * 20 :])
    np.testing.assert_array_equal(part.forecast(file).mean, whole.forecast(place / "week.csv").mean)
    with pytest.raises(ct.InputError, match="a refit needs the whole history"):
        part.refresh(file, by="refit")
    found, wanted = part.refresh(file), whole.refresh(place / "week.csv", by="update")
    assert found.changes[-1].startswith("the readings before 2024-01-21 00:00, where ")
    assert found.changes[-1].endswith("that the run has kept, from 2024-01-01 00:00 on")
    late = 0.02  # a reading that came late is in the whole source alone
    np.testing.assert_allclose(found.forecast.quantiles, wanted.forecast.quantiles, atol=late)
    assert found.last == wanted.last
    part.update(write(place / "more.csv", readings(34)[24 * 27 :]))
    assert part.model.trained_until == np.datetime64("2024-02-03T23:00")


def test_an_export_after_a_long_gap_is_refused(place: Path) -> None:
    file = write(place / "far.csv", readings(40).with_columns(pl.col("time").dt.offset_by("90d")))
    before = content(place / "run")
    with pytest.raises(ct.InputError, match="must reach back"):
        ct.open_run(place / "run").refresh(file)
    assert content(place / "run") == before


def test_what_is_known_ahead_is_kept_as_well(tmp_path: Path) -> None:
    table = readings(34).with_columns(wind=pl.int_range(pl.len()) % 7 / 7)

    def with_a_day_ahead(first: int, days: int) -> pl.DataFrame:
        measured = pl.int_range(pl.len()) < 24 * (days - first)
        part = table[24 * first : 24 * (days + 1)]
        return part.with_columns(pl.when(measured).then(name).alias(name) for name in NAMES)

    options = {"covariates": ["wind"], **ELSEWHERE, **SETTINGS}
    file = write(tmp_path / "air.csv", with_a_day_ahead(0, 20))
    ct.run(file, out=tmp_path / "run", **options)
    file = write(tmp_path / "part.csv", with_a_day_ahead(20, 27))
    found = ct.open_run(tmp_path / "run").refresh(file)
    assert found.forecast.clock.text(0) == "2024-01-28 00:00"


def test_what_was_known_ahead_of_each_sensor_stays_with_it() -> None:
    clock = Clock(datetime(2024, 1, 1), timedelta(hours=1))
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    air = Quantity("pm2.5", "µg/m³")
    kept = kept_readings(
        SensorFrame(
            values, clock, ("a", "b"), air, covariates={"wind": values * 10, "rain": values[:, :1]}
        )
    )
    now = SensorFrame(
        values, clock.shifted(3), ("c", "b"), air, covariates={"wind": values, "rain": values}
    )
    found = _with(kept, now, 3).covariates
    np.testing.assert_array_equal(found["wind"][:3], np.c_[[np.nan] * 3, values[:, 1] * 10])
    np.testing.assert_array_equal(found["rain"][:3], np.c_[values[:, 0], values[:, 0]])
    np.testing.assert_array_equal(found["wind"][3:], values)
    assert _knows_all(kept, now)
    city = SensorFrame(values, clock, ("c", "b"), air, covariates={"wind": values[:, :1]})
    assert not _knows_all(kept, city)  # what was kept is of one sensor each


@pytest.fixture(scope="module")
def stuck(
    tmp_path_factory: pytest.TempPathFactory, plainly: Callable[..., Any]
) -> tuple[Path, pl.DataFrame]:
    """A run, and readings in which the second sensor counts only half from day 112 on."""
    folder = tmp_path_factory.mktemp("stuck")
    table = pl.concat(
        [readings(40).with_columns(pl.col("time") + pl.duration(days=40 * i)) for i in range(3)]
    )
    file = write(folder / "air.csv", table[: 24 * 112])
    with plainly():
        ct.run(file, out=folder / "run", alerts=[">50"], **SETTINGS, **ELSEWHERE)
    broken = (
        pl.when(pl.int_range(pl.len()) >= 24 * 112).then(pl.col("south") / 5).otherwise("south")
    )
    return folder, table.with_columns(broken.alias("south"))


def test_a_broken_sensor_gets_the_naive_forecast(
    stuck: tuple[Path, pl.DataFrame], tmp_path: Path, run: Callable[..., Any]
) -> None:
    folder, table = stuck
    shutil.copytree(folder / "run", tmp_path / "run")
    file = write(tmp_path / "air.csv", table[: 24 * 117])
    made = ct.open_run(tmp_path / "run")
    own, given = made.model.forecast(ct.read(file, **ELSEWHERE)), made.forecast(file)
    np.testing.assert_array_equal(own.mean[:, 0], given.mean[:, 0])
    assert {*given.quality[:, 0]} == {"model"}
    assert all(word.startswith("fallback: ") for word in given.quality[:, 1])
    assert not np.allclose(own.mean[:, 1], given.mean[:, 1])
    code, said, _ = run("forecast", tmp_path / "run", file, "--out", tmp_path / "f.csv")
    assert code == 0
    assert "Something is wrong with 'south'" in said
    found = made.refresh(file)
    assert all(word.startswith("fallback: ") for word in found.forecast.quality[:, 1])
    record = made.record.filter(pl.col("issued") == pl.col("issued").max())
    south = record.filter(pl.col("sensor") == "south")
    np.testing.assert_array_equal(south["point"].to_numpy(), found.forecast.point[:, 1])
    assert not np.allclose(south["model"].to_numpy(), south["point"].to_numpy())


def test_a_sensor_broken_at_the_end_is_told_by_tune(
    stuck: tuple[Path, pl.DataFrame], tmp_path: Path, run: Callable[..., Any], whole_report: None
) -> None:
    file = write(tmp_path / "air.csv", stuck[1][: 24 * 117])
    out = tmp_path / "run"
    words = ("--quantity", "pm2.5", "--unit", "µg/m³", "--backbone", "lags", "--strategy")
    code, said, _ = run("tune", file, "--horizon", "24", "--out", out, *words, "zero-shot")
    assert code == 0
    assert "Unusual: 'south'" in said
    assert "Something is wrong with 'south'" in said
    assert "fallback: " in (out / "forecast.csv").read_text("utf-8")
    assert "south" in (out / "report.html").read_text("utf-8").split("Unusual", 1)[1][:400]


def test_an_export_in_another_unit_is_refused_and_nothing_is_learnt(place: Path) -> None:
    before = content(place / "run")
    large = readings(27)[24 * 20 :].with_columns(pl.col(NAMES) * 1000)
    file = write(place / "large.csv", large)
    for learn in (ct.open_run(place / "run").refresh, ct.open_run(place / "run").update):
        with pytest.raises(ct.InputError, match=r"are 1,0\d\d times those .* change of unit"):
            learn(file)
    assert content(place / "run") == before


def test_a_refit_that_was_asked_for_needs_nothing_new(place: Path) -> None:
    run = ct.open_run(place / "run")
    run.refresh(place / "week.csv")
    with pytest.raises(ct.InputError, match="up to date"):
        run.refresh(place / "week.csv")
    found = run.refresh(place / "week.csv", by="refit")
    assert "up to date" in found.changes[0]
    assert found.how == "The whole job was done again."
    assert len(run.record) == 96


def test_new_rows_alone_are_scored_all(place: Path) -> None:
    run = ct.open_run(place / "run")
    part = write(place / "part.csv", readings(27)[24 * 20 :])
    one, whole = run.score(part), run.score(place / "week.csv")
    assert one.holdout_start == whole.holdout_start == "2024-01-21 00:00"
    assert one.models["naive-week"]["mae"] == pytest.approx(
        whole.models["naive-week"]["mae"], rel=0.01
    )
    assert one.alerts[0].alert.threshold == 50  # of the run


def test_the_model_is_asked_once_what_it_says_of_the_new_days(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compare it with a refit, and for how errors go together."""
    monkeypatch.setattr(_comparing, "MOST_SENSORS", 1)
    asked, predict = [], TunedModel.predict

    def told(model: TunedModel, source: object, origins: Any, *more: Any) -> Any:
        asked.append((model.trained_until, len(model.sensors), len(origins)))
        return predict(model, source, origins, *more)

    run = with_copula(of_a_day_more(place), monkeypatch)
    monkeypatch.setattr(TunedModel, "predict", told)
    until = run.model.trained_until
    found = run.refresh(place / "week.csv")
    assert "on 7 forecasts of the newest days" in found.how  # one of them from the record
    own = next(one for one in asked if one[0] == until)
    (other,) = (one for one in asked if one is not own)
    assert own == (until, len(NAMES), 6)
    assert other[1:] == (1, 7)


def test_of_many_sensors_every_other_new_day_is_looked_at(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For how errors go together; those that are compared are asked about every day."""
    monkeypatch.setattr(_comparing, "MOST_SENSORS", 1)
    monkeypatch.setattr(_past, "MANY", 1)
    run = of_a_day_more(place)
    before = run.model
    shown: list[np.ndarray] = []
    monkeypatch.setattr(_comparing, "_saved", lambda *parts: shown.extend(parts) or 0.0)
    found = run.refresh(place / "week.csv")
    assert "on 7 forecasts" in found.how
    frame = ct.read(place / "week.csv", quantity="pm2.5", unit="µg/m³")
    past = past_of(before, frame, after=before.trained_until)
    assert past is not None
    assert past.rows.tolist() == [24 * day for day in (22, 24, 26)]
    rows = [24 * day for day in range(21, 27)]
    first = before.sensors[:1]
    own = before.part(first).predict(frame.select(first), rows).point
    np.testing.assert_allclose(shown[0][1:], own, rtol=1e-5)


def test_of_many_sensors_some_are_compared(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_comparing, "MOST_SENSORS", 1)
    seen = []

    def saved(*forecasts: np.ndarray) -> float:
        seen.extend(one.shape[-1] for one in forecasts)
        return 0.2

    run = of_a_day_more(place)
    monkeypatch.setattr(_comparing, "_saved", saved)
    found = run.refresh(place / "week.csv")
    assert seen == [1, 1, 1]
    assert found.how.startswith("The model was fitted anew")
    assert len(found.forecast.sensors) == len(ct.read(place / "week.csv").sensors) > 1
