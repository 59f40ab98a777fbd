"""Write into a table of a database: a row for each run, sensor and time, the newest forecast's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import polars as pl
import polars.selectors as cs

from citytune._errors import InputError
from citytune._text import counted, listed
from citytune.readers import Driver, driver_of, masked, with_secrets
from citytune.writers._table import ForecastTable
from citytune.writers._writer import Choice, Writer, refuse_wide, register

TABLE = "forecasts"
"""Where no table is named."""
KEY = ("run", "sensor", "time")
MOMENTS = ("time", "issued_at")
ISO = "%Y-%m-%dT%H:%M:%S%.f%:z"


def write(table: ForecastTable, target: str, choice: Choice) -> str:
    """Make the table if it is not there, and put the rows in.

    Rows of the same key are replaced, but for those of a forecast that was issued later.

    Times without a zone are kept as if they were UTC; the column `timezone` is then NULL.
    """
    address, name = split(target)
    driver, said = driver_of(address), f"{name} in {masked(address)}"
    records = _plain(table.records())
    words = counted(records.height, "row")
    if choice.dry_run:
        return f"would write {words} to table {said}"
    with driver.session(with_secrets(address), True) as connection:
        if name not in driver.tables(connection):
            connection.execute(_create(driver, name, records))
        there = _widened(connection, driver, name, records, said)
        newer = _newer(connection, driver, name, records)
        into, conflict = _into(name, records.columns), _else_renew(records.columns, there)
        driver.insert(connection, into, records, conflict)
    kept = f"; {counted(newer, 'row')} of a newer forecast stayed as they were" if newer else ""
    return f"{counted(records.height - newer, 'row')} written to table {said}{kept}"


def _newer(connection: Any, driver: Driver, name: str, records: pl.DataFrame) -> int:
    """How many rows of the same keys are there of a forecast that was issued later."""
    if not records.height:
        return 0
    first = records.select("run", pl.col("issued_at").dt.strftime(ISO)).row(0)
    run, issued = (str(one).replace("'", "''") for one in first)
    query = f"SELECT sensor, time FROM {_path(name)} WHERE run = '{run}' AND issued_at > '{issued}'"  # noqa: S608 - quoted
    found = driver.rows(connection, query)
    if not found.height:
        return 0
    times = pl.col("time")
    if found.schema["time"] == pl.String:
        times = times.str.to_datetime(time_zone="UTC", time_unit="us")
    found = found.select(pl.col("sensor").cast(pl.String), times.dt.cast_time_unit("us"))
    keys = found.with_columns(pl.col("time").dt.convert_time_zone("UTC"))
    return records.join(keys, on=["sensor", "time"], how="semi").height


def read(target: str, run: str | None) -> pl.DataFrame:
    """The newest forecast of a run, which may be left out if there is only one."""
    address, name = split(target)
    driver, said = driver_of(address), f"{name} in {masked(address)}"
    with driver.session(with_secrets(address), False) as connection:
        known = driver.tables(connection)
        if name not in known:
            raise InputError(
                f"there is no table {said}; it has {listed(sorted(known), 12) or 'none'}"
            )
        rows = driver.rows(connection, f"SELECT * FROM {known[name]}")  # noqa: S608 - a known name
    if not {"run", "time", "issued_at", "position"} <= {*rows.columns}:
        return rows
    moments = [n for n in MOMENTS if rows.schema[n] == pl.String]
    rows = rows.with_columns(
        pl.col(moments).str.to_datetime(time_zone="UTC", time_unit="us"),
        pl.col("run").cast(pl.String).fill_null(""),
    )
    return _newest(rows, run, said)


def _newest(rows: pl.DataFrame, run: str | None, said: str) -> pl.DataFrame:
    """Of a run, the rows of the forecast that was issued last."""
    runs = rows["run"].unique().sort().to_list()
    if run is None and len(runs) > 1:
        raise InputError(
            f"table {said} holds {counted(len(runs), 'run')}: {listed(runs, 12, quoted=True)}; "
            f"name one with run={runs[0]!r}"
        )
    chosen = rows.filter(pl.col("run") == (runs[0] if run is None and runs else run))
    if not chosen.height:
        raise InputError(
            f"table {said} holds no run {run!r}; it has {listed(runs, 12, quoted=True)}"
        )
    newest = chosen.filter(pl.col("issued_at") == pl.col("issued_at").max())
    return newest.sort("position", "time").drop("position")


def split(target: str) -> tuple[str, str]:
    """The address, and the table behind its `#`.

    >>> split("sqlite:///city.db#air"), split("sqlite:///city.db")
    (('sqlite:///city.db', 'air'), ('sqlite:///city.db', 'forecasts'))
    """
    head, at, rest = target.rpartition("@")
    rest, _, name = rest.partition("#")
    return head + at + rest, name or TABLE


class _OnlyTried(Exception):  # noqa: N818 - nothing is wrong
    """Takes back what was done to see whether it can be."""


def check(target: str, choice: Choice) -> None:
    """Refuse a wide table, a database that cannot be written, and a table of something else."""
    refuse_wide(target, choice)
    address, name = split(target)
    driver = driver_of(address)
    with suppress(_OnlyTried), driver.session(with_secrets(address), True) as connection:
        if name in driver.tables(connection):
            there = driver.rows(connection, f"SELECT * FROM {_path(name)} LIMIT 0").columns  # noqa: S608
            _refuse_others([one for one in (*KEY, "issued_at") if one not in there], there,
                           f"{name} in {masked(address)}")  # fmt: skip
        raise _OnlyTried


def _refuse_others(lacking: Sequence[str], there: Sequence[str], said: str) -> None:
    if lacking:
        raise InputError(
            f"table {said} has no column {listed(lacking, 8, quoted=True)}; it has "
            f"{listed(sorted(there), 30)}. Name another table behind a #, and it is made"
        )


def _plain(records: pl.DataFrame) -> pl.DataFrame:
    """Missing as NULL, moments in UTC, and the place of each sensor, which a table has not."""
    sensors = records["sensor"].unique(maintain_order=True)
    place = pl.col("sensor").replace_strict(sensors, range(len(sensors)), return_dtype=pl.Int64)
    moments = pl.col(MOMENTS)
    naive = records["time"].dtype == pl.Datetime("us")
    zoned = moments.dt.replace_time_zone("UTC") if naive else moments.dt.convert_time_zone("UTC")
    return records.with_columns(zoned, cs.float().fill_nan(None), place.alias("position"))


def _create(driver: Driver, name: str, records: pl.DataFrame) -> str:
    columns = [f"{_quoted(n)} {_type(driver, n, kind)}" for n, kind in records.schema.items()]
    key = ", ".join(map(_quoted, KEY))
    return f"CREATE TABLE {_path(name)} ({', '.join(columns)}, PRIMARY KEY ({key}))"


def _type(driver: Driver, name: str, kind: pl.DataType) -> str:
    if name in MOMENTS:
        return driver.types["moment"]
    if kind == pl.Int64:
        return "INTEGER"
    return driver.types["text" if kind == pl.String else "number"]


def _widened(
    connection: Any, driver: Driver, name: str, records: pl.DataFrame, said: str
) -> list[str]:
    """The columns that are there, once those of alerts that it lacks were added."""
    there = driver.rows(connection, f"SELECT * FROM {_path(name)} LIMIT 0").columns  # noqa: S608
    lacking = [one for one in records.columns if one not in there]
    _refuse_others([one for one in lacking if not _of_alert(one)], there, said)
    for one in lacking:
        kind = _type(driver, one, records.schema[one])
        connection.execute(f"ALTER TABLE {_path(name)} ADD COLUMN {_quoted(one)} {kind}")
    return [*there, *lacking]


def _of_alert(column: str) -> bool:
    return column == "point" or column.startswith("p_")


def _into(name: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {_path(name)} AS kept ({', '.join(map(_quoted, columns))})"


def _else_renew(columns: Sequence[str], there: Sequence[str]) -> str:
    """What is done with a row that is there; of an older forecast, no chance or point is left."""
    renewed = [f"{_quoted(n)} = excluded.{_quoted(n)}" for n in columns if n not in KEY]
    old = [n for n in there if n not in columns and _of_alert(n)]
    renewed += [f"{_quoted(n)} = NULL" for n in old]
    return (
        f"ON CONFLICT ({', '.join(map(_quoted, KEY))}) DO UPDATE SET {', '.join(renewed)} "
        "WHERE excluded.issued_at >= kept.issued_at"
    )


def _path(name: str) -> str:
    return ".".join(map(_quoted, name.split(".")))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


register(
    ("postgresql://", "postgres://", "sqlite://", "duckdb://"),
    Writer(name="database", write=write, read=read, check=check),
)
