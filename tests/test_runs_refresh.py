"""Promise: Monday is one command; the record of what was forecast grows and loses nothing."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.runs import RECORD, by_week, verified

SETTINGS: dict[str, Any] = {"backbone": "lags", "strategy": "zero-shot", "horizon": 24}
NAMES = ("north", "south")


def readings(days: int) -> pl.DataFrame:
    """The first days of two sensors with a rhythm, a gap in the second."""
    rows = 24 * days
    draw = np.random.default_rng(5)
    hours = np.arange(24 * 40)
    noise = draw.normal(0, 3, (len(hours), 2))
    level = 40 + 20 * np.sin(2 * np.pi * hours / 24)[:, None] + 5 * np.arange(2) + noise
    start = np.datetime64("2024-01-01T00", "us")
    table = pl.DataFrame({"time": start + np.arange(rows) * np.timedelta64(1, "h")})
    for i, name in enumerate(NAMES):
        table = table.with_columns(pl.Series(name, np.round(level[:rows, i], 1)))
    gap = (pl.col("time") == pl.datetime(2024, 1, 15, 5)) & (days <= 20)
    return table.with_columns(pl.when(gap).then(None).otherwise("south").alias("south"))


def write(path: Path, table: pl.DataFrame) -> Path:
    table.write_csv(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write(folder / "air.csv", readings(20))
    options = {"quantity": "pm2.5", "unit": "µg/m³", "alerts": [">50", "<5"]}
    ct.run(folder / "air.csv", out=folder / "run", **SETTINGS, **options)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A folder with a run that may be spoilt, and later readings."""
    shutil.copytree(made / "run", tmp_path / "run")
    write(tmp_path / "week.csv", readings(27))
    write(tmp_path / "later.csv", readings(34))
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_refresh_verifies_learns_forecasts_and_reports(place: Path) -> None:
    run = ct.open_run(place / "run")
    page = run.report.read_text("utf-8")
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
    assert found.scores.holdout_start == "2024-01-21 00:00"
    assert found.forecast.clock.text(0) == "2024-01-28 00:00"
    assert run.changed() == ()
    assert run.report.read_text("utf-8") != page
    assert "2024-01-28" in run.report.read_text("utf-8")
    again = ct.open_run(place / "run")
    np.testing.assert_array_equal(again.forecast().mean, found.forecast.mean)
    assert again.scores is not None
    assert again.scores["holdout"]["start"] == "2024-01-21 00:00"


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
    with pytest.raises(ct.RunError, match=r"2024-01-21T000000.parquet is damaged"):
        ct.open_run(place / "run").refresh(place / "week.csv")
    assert table.read_bytes() == b"not a table"


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
    assert (code, out) == (2, "")
    assert "has no rows after" in err
    code, out, _ = run("refresh", place / "run", place / "later.csv", "--json")
    found = json.loads(out)
    assert (code, found["last"]["values"], found["day"]) == (3, 48, "Sunday 2024-02-04")
    assert {row["alert"] for row in found["raised"]} == {"pm2.5 > 50 µg/m³"}


def test_without_an_alert_passed_the_exit_code_is_zero(
    made: Path, place: Path, run: Callable[..., Any]
) -> None:
    options = {"quantity": "pm2.5", "alerts": [">500"]}
    ct.run(made / "air.csv", out=place / "calm", **SETTINGS, **options)
    assert run("refresh", place / "calm", place / "week.csv")[0] == 0
