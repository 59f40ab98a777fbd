"""Promise: a forecast leaves whole or not at all, and comes back as it was, bit by bit."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import SECRET, Server

from citytune import Clock, Forecast, InputError, Quantity
from citytune.forecasting import LEVELS
from citytune.readers import read

extras = pytest.mark.extras
HOUR = dt.timedelta(hours=1)
AUTUMN = Clock(dt.datetime(2024, 10, 26, 22), HOUR, "Europe/Oslo")
STRANGE = ["=A1", "'=A1", "007", "-1", "1e5", "", "  ", "nan", "null", "a,b", 'say "x"', "@x",
           "Straße 1", "time", "2024-01-01", "'", "+1,5"]  # fmt: skip
WITH_EXTRAS = ("f.xlsx", "duckdb:///f.duckdb#x")
TABLES = ["f.csv", "f.parquet", "f.jsonl", "sqlite:///f.db"]
TABLES += [pytest.param(one, marks=extras) for one in WITH_EXTRAS]
PATIENT: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
NEEDS = {".xlsx": "xlsxwriter", "duckdb": "duckdb"}


def needed(target: str) -> None:
    for mark, package in NEEDS.items():
        if mark in target:
            pytest.importorskip(package, reason=f"{package} is not installed")


def made(
    sensors: tuple[str, ...] = ("north", "=A1"), horizon: int = 5, clock: Clock = AUTUMN
) -> Forecast:
    mean = (1 + np.arange(horizon * len(sensors)).reshape(horizon, -1)) / 3
    quantiles = mean[..., None] * (0.5 + np.array(LEVELS))
    mean[0, 0] = np.nan
    quality = np.full(mean.shape, "model", object)
    quality[0, 0] = "absent"
    return Forecast(
        mean.astype(np.float32), quantiles.astype(np.float32), clock, sensors,
        Quantity("pm2.5", "µg/m³", low=0, domain="air"), quality=quality, model="lags, blend",
        run="air",
    )  # fmt: skip


def same(one: Forecast, other: Forecast) -> None:
    for part in ("mean", "quantiles", "moved"):
        ours, theirs = getattr(one, part), getattr(other, part)
        if ours is None:
            assert theirs is None
        else:
            assert theirs.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)
    assert np.array_equal(one.quality, other.quality)
    for part in ("clock", "sensors", "quantity", "model", "run"):
        assert getattr(one, part) == getattr(other, part)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    """Any forecast: strange names, single precision to its ends, every zone, any step."""
    text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
    names = draw(st.lists(st.sampled_from(STRANGE) | text, min_size=1, max_size=4, unique=True))
    horizon = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    shape = (horizon, len(names), 1 + len(LEVELS) + 1)
    bits = random.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    values = np.where(np.isfinite(bits), bits, np.float32(np.nan))
    zone = draw(
        st.sampled_from([None, "UTC", "Europe/Oslo", "Australia/Adelaide", "Asia/Kathmandu"])
    )
    start = draw(
        st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1))
        | st.sampled_from([dt.datetime(2024, 10, 26, 23), dt.datetime(2024, 3, 30, 23)])
    )
    step = draw(
        st.sampled_from([dt.timedelta(seconds=1), 5 * HOUR / 60, HOUR, 24 * HOUR, 168 * HOUR])
    )
    low = draw(st.sampled_from([None, 0.0, -1.5]))
    moved = draw(st.booleans()) and bool(np.isfinite(values[..., -1]).any())  # all NaN is none
    return Forecast(
        mean=values[..., 0], quantiles=values[..., 1:-1],
        moved=values[..., -1] if moved else None,
        clock=Clock(start, step, zone), sensors=tuple(names),
        quantity=Quantity(draw(text), draw(text), low, draw(st.sampled_from([None, 10.0]))),
        quality=np.full(shape[:2], draw(st.sampled_from(["model", "fallback: yesterday"])), object),
        run=draw(text), model=draw(text),
    )  # fmt: skip


@pytest.mark.parametrize("target", TABLES)
@settings(max_examples=40, **PATIENT)
@given(forecast=forecasts())
def test_what_is_read_back_is_what_was_written(
    target: str, forecast: Forecast, tmp_path_factory: pytest.TempPathFactory
) -> None:
    needed(target)
    folder = tmp_path_factory.mktemp("round")
    where = target.replace("///", f"///{folder}/") if "://" in target else str(folder / target)
    forecast.write(where)
    same(forecast, Forecast.read(where))


@pytest.mark.parametrize("target", TABLES)
def test_every_row_says_of_what_when_and_by_what_it_was_made(target: str, tmp_path: Path) -> None:
    needed(target)
    where = target.replace("///", f"///{tmp_path}/") if "://" in target else tmp_path / target
    assert made().write(where).startswith("10 rows written to ")
    back = Forecast.read(where)
    assert (back.run, back.model) == ("air", "lags, blend")
    assert back.quantity == Quantity("pm2.5", "µg/m³", low=0, domain="air")
    assert back.clock == AUTUMN  # the doubled hour of autumn is within


def test_a_file_says_what_a_person_and_a_spreadsheet_read(tmp_path: Path) -> None:
    made().write(tmp_path / "f.csv")
    table = pl.read_csv(tmp_path / "f.csv")
    assert table["sensor"].unique(maintain_order=True).to_list() == ["north", "'=A1"]
    assert table["time"][2:4].to_list() == [
        "2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00",
    ]  # fmt: skip
    assert set(table["unit"]) == {"µg/m³"}
    assert set(table["issued_at"]) == {"2024-10-27T00:00:00+02:00"}


def test_excel_gets_its_own_times_next_to_the_exact_ones(tmp_path: Path) -> None:
    needed(".xlsx")
    made().write(tmp_path / "f.xlsx")
    table = pl.read_excel(tmp_path / "f.xlsx")
    assert table["wall_time"][0] == dt.datetime(2024, 10, 27)
    assert table["sensor"].unique(maintain_order=True).to_list() == ["north", "=A1"]


def test_a_wide_table_is_a_table_of_readings(tmp_path: Path) -> None:
    forecast = made(("north", "007"), horizon=24)
    said = forecast.write(tmp_path / "wide.csv", wide="q50")
    assert said == f"24 rows written to {tmp_path / 'wide.csv'}"
    frame = read(tmp_path / "wide.csv", timezone="Europe/Oslo")
    assert frame.sensors == forecast.sensors
    assert frame.clock == forecast.clock
    np.testing.assert_array_equal(frame.values, forecast.point)
    forecast.write(tmp_path / "wide.parquet", wide="mean")
    table = pl.read_parquet(tmp_path / "wide.parquet")
    np.testing.assert_array_equal(table["007"].to_numpy(), forecast.mean[:, 1])


def refusal(target: Any, forecast: Forecast | None = None, **options: Any) -> str:
    with pytest.raises(InputError) as found:
        (forecast or made()).write(target, **options)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("precious")
    assert "already exists and was not overwritten" in refusal(path)
    assert path.read_text() == "precious"
    made().write(path, overwrite=True)
    same(made(), Forecast.read(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("f.cvs", "Did you mean .csv"),
        ("f", "a name without an ending is not known"),
        ("f.db", "A database is named by its address: sqlite:///f.db"),
        ("in/f.duckdb", "A database is named by its address: duckdb:///in/f.duckdb"),
        ("sqlit:///f.db", "Did you mean sqlite://"),
        ("mysql://me:geheim@host/db", "Known: .csv"),
        ("none/f.csv", "there is no folder"),
        ("ngsi-ld+https://", "names no server"),
    ],
)
def test_a_target_nobody_writes_to_is_refused_with_the_near_ones(
    target: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = refusal(target)
    assert said in told
    assert "geheim" not in told
    assert not list(tmp_path.iterdir())


def test_a_wide_table_of_nothing_or_nowhere_is_refused(tmp_path: Path) -> None:
    assert "Did you mean 'mean'?" in refusal(tmp_path / "f.csv", wide="maen")
    assert "takes the long form alone" in refusal("sqlite:///f.db", wide="mean")
    assert "takes the long form alone" in refusal(tmp_path / "f.jsonld", wide="mean")
    assert "called 'time'" in refusal(tmp_path / "f.csv", made(("time",)), wide="mean")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "package", "extra"),
    [
        ("f.xlsx", "xlsxwriter", "excel"),
        ("duckdb:///f.duckdb", "duckdb", "duckdb"),
        ("postgresql://host/db", "psycopg", "postgres"),
        ("ngsi-ld+https://host/v1", "httpx", "broker"),
    ],
)
def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    target: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    assert f"pip install 'citytune[{extra}]'" in refusal(target)
    assert not list(tmp_path.iterdir())


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: pl.DataFrame, path: Path, **_options: Any) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", fail)
    with pytest.raises(OSError, match="No space"):
        made().write(tmp_path / "f.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["sqlite:///f.db", "duckdb:///f.duckdb"])
def test_a_new_database_does_not_outlive_a_failure(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from citytune.writers import _database

    needed(target)
    monkeypatch.chdir(tmp_path)
    made().write(f"{target}x")  # an older one is kept
    monkeypatch.setattr(_database, "_into", lambda *_: "INSERT INTO nowhere")
    assert "nowhere" in refusal(target)
    assert "nowhere" in refusal(f"{target}x")
    assert [path.name for path in tmp_path.iterdir()] == [target.partition("///")[2] + "x"]
    same(made(), Forecast.read(f"{target}x"))


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert made().write(tmp_path / "f.csv", dry_run=True).startswith("would write 10 rows to ")
    assert "10 rows to table forecasts" in made().write(f"sqlite:///{tmp_path}/f.db", dry_run=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop("issued_at", "unit"), "has no 'issued_at' and 'unit'"),
        (lambda table: table.head(9), "no longer holds every step"),
        (lambda table: table.reverse(), "no longer holds every step"),
        (lambda table: table.head(0), "no row"),
        (lambda table: table.drop("q50"), "no column 'q50'"),
        (lambda table: table.with_columns(mean=pl.lit("high")), "no forecast that can be read"),
    ],
)
def test_a_table_that_is_no_longer_a_forecast_is_refused(
    change: Callable[[pl.DataFrame], pl.DataFrame], said: str, tmp_path: Path
) -> None:
    made().write(tmp_path / "f.parquet")
    change(pl.read_parquet(tmp_path / "f.parquet")).write_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError, match=said):
        Forecast.read(tmp_path / "f.parquet")


@pytest.mark.parametrize("name", ["f.csv", "f.parquet", "f.xlsx", "f.jsonl"])
def test_a_file_that_is_absent_or_damaged_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        Forecast.read(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x00 nothing \xff\n{")
    with pytest.raises(InputError):
        Forecast.read(tmp_path / name)


# Databases.


def later(forecast: Forecast) -> Forecast:
    """The next forecast of the same run, an hour later, with other values."""
    return replace(forecast, mean=forecast.mean + 1, clock=forecast.clock.shifted(1))


def a_database_keeps_the_newest(target: str, rows: Callable[[], int]) -> None:
    first = made()
    first.write(target)
    first.write(target)
    assert rows() == 10  # again is not twice
    second = later(first)
    second.write(target)
    assert rows() == 12  # the first step of each sensor is of the first forecast
    same(second, Forecast.read(target))
    said = first.write(target)  # an older one leaves the newer one as it is
    assert said.startswith("2 rows written")
    assert "8 rows of a newer forecast stayed" in said
    assert rows() == 12
    same(second, Forecast.read(target))
    other = replace(first, run="roads")
    other.write(target)
    assert rows() == 22
    with pytest.raises(InputError, match="holds 2 runs: 'air' and 'roads'; name one"):
        Forecast.read(target)
    same(other, Forecast.read(target, run="roads"))
    same(second, Forecast.read(target, run="air"))
    with pytest.raises(InputError, match="holds no run 'nix'"):
        Forecast.read(target, run="nix")


def test_sqlite_keeps_one_row_for_each_run_sensor_and_time(tmp_path: Path) -> None:
    path = tmp_path / "city.db"

    def rows() -> int:
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM forecasts").fetchone()[0])

    a_database_keeps_the_newest(f"sqlite:///{path}", rows)


@extras
def test_duckdb_keeps_one_row_for_each_run_sensor_and_time(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")

    def rows() -> int:
        with duckdb.connect(str(tmp_path / "city.duckdb")) as database:
            return int(database.execute("SELECT count(*) FROM air").fetchone()[0])

    a_database_keeps_the_newest(f"duckdb:///{tmp_path}/city.duckdb#air", rows)


@extras
def test_postgres_keeps_one_row_for_each_run_sensor_and_time(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    def rows() -> int:
        with psycopg.connect(postgres.address) as database:
            found = database.execute("SELECT count(*) FROM kept").fetchone()
            return int(found[0]) if found else 0

    monkeypatch.setenv("DB_PASSWORD", SECRET)
    a_database_keeps_the_newest(f"{postgres.guarded}#kept", rows)
    with psycopg.connect(postgres.address) as database:
        found = database.execute(
            "SELECT time AT TIME ZONE 'UTC', mean, quality FROM kept WHERE run = 'roads' ORDER BY "
            "position, time"
        ).fetchall()
    assert found[0] == (AUTUMN.start, None, "absent")  # NULL, and not NaN
    assert found[1][0] == AUTUMN.start + HOUR


@extras
@settings(max_examples=15, **PATIENT)
@given(forecast=forecasts())
def test_postgres_gives_back_what_was_written(postgres: Server, forecast: Forecast) -> None:
    import psycopg

    target = f"{postgres.address}#round"
    safe = replace(forecast, run=forecast.run or "one")
    with psycopg.connect(postgres.address) as database:
        database.execute("DROP TABLE IF EXISTS round")
    safe.write(target)
    same(safe, Forecast.read(target))


@extras
def test_postgres_refuses_who_may_not_write_and_nothing_is_half_written(postgres: Server) -> None:
    import psycopg

    with psycopg.connect(postgres.address) as database:
        database.execute("CREATE ROLE looker LOGIN")
    said = refusal(postgres.address.replace("postgres@", "looker@") + "#mine")
    assert "does not allow that (permission denied for schema public)" in said
    with psycopg.connect(postgres.address) as database:
        database.execute("CREATE TABLE capped (LIKE pg_class)")
    assert "has no column" in refusal(f"{postgres.address}#capped")


def test_a_table_with_other_columns_is_refused_and_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE forecasts (sensor TEXT, time TEXT, temperature REAL)")
    said = refusal(f"sqlite:///{path}")
    assert "has no column 'run' and 'issued_at'" in said
    assert "it has sensor, temperature and time" in said
    assert made().write(f"sqlite:///{path}#air")


def test_columns_of_alerts_and_rare_values_come_and_go_with_the_forecast(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/city.db"
    made().write(target)
    more = replace(made(), moved=made().mean).with_alerts([">1"])
    more.write(target)
    same(more, Forecast.read(target))
    with closing(sqlite3.connect(tmp_path / "city.db")) as database:
        asked = "SELECT count(p_above_1), count(point), count(*) FROM forecasts"
        chances, points, rows = database.execute(asked).fetchone()
        assert (chances, points) == (rows, rows - 1)  # one mean is missing
        made().write(target)
        assert database.execute(asked).fetchone() == (0, 0, rows)
    same(made(), Forecast.read(target))


def test_what_is_no_table_of_forecasts_is_not_read_back(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE loops (time TEXT)")
    with pytest.raises(InputError, match="there is no table forecasts"):
        Forecast.read(f"sqlite:///{path}")
    with pytest.raises(InputError, match="is not a forecast that citytune wrote"):
        Forecast.read(f"sqlite:///{path}#loops")
    with pytest.raises(InputError, match="there is no database"):
        Forecast.read(f"sqlite:///{tmp_path}/none.db")


def test_the_probabilities_of_alerts_go_along(tmp_path: Path) -> None:
    from citytune.writers import Choice, ForecastTable, write

    forecast = made()
    rows = forecast.to_polars().with_columns(
        pl.col("time").dt.convert_time_zone("UTC").dt.replace_time_zone(None),
        pl.lit(0.25, pl.Float32).alias("p_above_150"),
    )
    table = ForecastTable(rows, forecast.clock, forecast.quantity, "air", "lags")
    write(table, tmp_path / "f.parquet", Choice())
    assert set(pl.read_parquet(tmp_path / "f.parquet")["p_above_150"]) == {0.25}
    same(replace(forecast, model="lags"), Forecast.read(tmp_path / "f.parquet"))
