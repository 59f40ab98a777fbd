"""A forecast as it leaves: rows of text, numbers and moments, and what holds for all of them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from citytune._errors import InputError, UnknownName
from citytune._text import listed
from citytune.frame import Clock, Quantity

KEY = ("sensor", "time")
FACTS = ("issued_at", "run", "model", "quantity", "unit", "low", "high", "domain", "step",
         "timezone")  # fmt: skip
"""Columns that hold one value: what the forecast is of, when and by what it was made."""
TEXTS = ("sensor", "quality", "run", "model", "quantity", "unit", "domain", "timezone")
_LEVEL = re.compile(r"q\d\d")
_CHANCE = re.compile(r"p_(above|below)_\S+")
ISO = "%Y-%m-%dT%H:%M:%S%.f"


@dataclass(frozen=True, eq=False)
class ForecastTable:
    """What every writer takes, and every reader of what was written gives back."""

    rows: pl.DataFrame
    """sensor, time, mean, q05 … q95, quality, perhaps `point` and `p_above_…`; the steps of a
    sensor after each other. Times are UTC, or wall times without a zone."""
    clock: Clock
    """Its step 0 is the first one forecast."""
    quantity: Quantity
    run: str = ""
    """Of which run it is; a database keeps one row for each run, sensor and time."""
    model: str = ""

    @property
    def levels(self) -> list[str]:
        """Columns of quantiles."""
        return [name for name in self.rows.columns if _LEVEL.fullmatch(name)]

    @property
    def chances(self) -> list[str]:
        """Columns of the probabilities of alerts."""
        return [name for name in self.rows.columns if _CHANCE.fullmatch(name)]

    def records(self) -> pl.DataFrame:
        """Every row with the facts in it, times in the zone of the data: it stands alone."""
        facts = {
            "run": self.run, "model": self.model, "quantity": self.quantity.name,
            "unit": self.quantity.unit, "low": self.quantity.low, "high": self.quantity.high,
            "domain": self.quantity.domain, "step": self.clock.step.total_seconds(),
            "timezone": self.clock.timezone,
        }  # fmt: skip
        issued = pl.lit(self.clock.start).cast(pl.Datetime("us")).alias("issued_at")
        rows = self.rows.with_columns(
            issued, *(pl.lit(value, _KINDS[name]).alias(name) for name, value in facts.items())
        )
        return _zoned(rows, self.clock.timezone)

    def wide(self, value: str) -> pl.DataFrame:
        """A row for each time and a column for each sensor, of one column of the long table."""
        known = [n for n, kind in self.rows.schema.items() if n not in KEY and kind.is_numeric()]
        if value not in known:
            raise UnknownName("column of a forecast", value, known)
        if "time" in self.rows["sensor"]:
            raise InputError(
                "a sensor is called 'time', as the first column of a wide table is; write it long"
            )
        rows = self.rows.pivot("sensor", index="time", values=value)
        return _zoned(rows, self.clock.timezone)


_KINDS: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(TEXTS, pl.String), "low": pl.Float64, "high": pl.Float64, "step": pl.Float64,
}  # fmt: skip


def of_records(records: pl.DataFrame, source: str) -> ForecastTable:
    """The forecast in a table that `ForecastTable.records` gave.

    Args:
        records: Times are moments, or text in ISO 8601.
        source: What to call it in messages.
    """
    _refuse_lacking(records, source)
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in TEXTS]
    records = records.with_columns(texts)
    first = records.row(0, named=True)
    zone = first["timezone"] or None
    values = [n for n, kind in records.schema.items() if n not in (*KEY, *FACTS, "quality")]
    numbers = [pl.col(name).cast(pl.Float32).fill_null(float("nan")) for name in values]
    rows = records.select("sensor", _moment(records, "time", zone), *numbers, "quality")
    step = dt.timedelta(seconds=float(first["step"]))
    quantity = Quantity(first["quantity"], first["unit"], _number(first["low"]),
                        _number(first["high"]), first["domain"])  # fmt: skip
    start = rows["time"].min()
    if not isinstance(start, dt.datetime):
        raise InputError(f"{source} holds no forecast: its times cannot be read")
    table = ForecastTable(rows, Clock(start, step, zone), quantity, first["run"], first["model"])
    _refuse_gaps(table, source)
    return table


def as_text(table: pl.DataFrame) -> pl.DataFrame:
    """A table with its moments as text in ISO 8601, with their offsets if the zone is known."""
    forms = [
        pl.col(name).dt.strftime(ISO + ("%:z" if kind.time_zone else ""))
        for name, kind in table.schema.items()
        if isinstance(kind, pl.Datetime)
    ]
    return table.with_columns(forms)


def csv_table(rows: pl.DataFrame) -> pl.DataFrame:
    """The long table as a CSV file has it: times in ISO 8601, names that no spreadsheet runs."""
    import polars as pl

    zone = getattr(rows.schema["time"], "time_zone", None)
    pattern = "%Y-%m-%dT%H:%M:%S" + ("%:z" if zone is not None else "")
    names = {name: name_for_spreadsheet(name) for name in rows["sensor"].unique()}
    return rows.with_columns(pl.col("sensor").replace(names), pl.col("time").dt.strftime(pattern))


def name_for_spreadsheet(name: str) -> str:
    """A name that a spreadsheet shows and does not run; without the first `'` it is itself again.

    >>> [name_for_spreadsheet(name) for name in ("=A1", "'=A1", "-1", "north")]
    ["'=A1", "''=A1", '-1', 'north']
    """
    is_number = re.fullmatch(r"[+-]?\d+([.,]\d+)?", name)
    return f"'{name}" if re.match(r"'*[=+\-@\t\r\n]", name) and not is_number else name


def name_from_spreadsheet(name: str) -> str:
    """The name that `name_for_spreadsheet` was given.

    >>> [name_from_spreadsheet(name) for name in ("'=A1", "''=A1", "-1", "'90s")]
    ['=A1', "'=A1", '-1', "'90s"]
    """
    return name[1:] if name[:1] == "'" and name_for_spreadsheet(name[1:]) == name else name


def refuse_unknown_zone(table: ForecastTable, standard: str) -> None:
    """For standards that know moments and no wall times."""
    if table.clock.timezone is None:
        raise InputError(
            f"{standard} takes moments, and the time zone of these data is not known; tune with "
            "timezone=, such as timezone=Europe/Oslo"
        )


def _zoned(rows: pl.DataFrame, zone: str | None) -> pl.DataFrame:
    if zone is None:
        return rows
    moments = pl.col(pl.Datetime("us"))
    return rows.with_columns(moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone))


def _moment(records: pl.DataFrame, name: str, zone: str | None) -> pl.Expr:
    """Naive moments: UTC if there is a zone."""
    column, kind = pl.col(name), records.schema[name]
    if kind == pl.String:
        form = ISO + ("%:z" if zone else "")
        column = column.str.to_datetime(form, time_unit="us", strict=False)
        kind = pl.Datetime("us", "UTC") if zone else pl.Datetime("us")
    if isinstance(kind, pl.Datetime) and kind.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"))


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _refuse_lacking(records: pl.DataFrame, source: str) -> None:
    wanted = {*KEY, "mean", "quality", *FACTS}
    if lacking := sorted(wanted - {*records.columns}):
        raise InputError(
            f"{source} is not a forecast that citytune wrote with write or --to: it has no "
            f"{listed(lacking, 4, quoted=True)}; the forecast in a run is read by "
            "ct.open_run(RUN).forecast()"
        )
    if not records.height:
        raise InputError(f"{source} holds no row of a forecast")


def _refuse_gaps(table: ForecastTable, source: str) -> None:
    """Every sensor has every step, in order."""
    sensors = table.rows["sensor"].unique(maintain_order=True)
    steps = len(table.rows) // len(sensors)
    times = table.clock.moments(0, steps).tolist() * len(sensors)
    names = [name for name in sensors for _ in range(steps)]
    moments = pl.Series(times, dtype=pl.Datetime("us"))
    expected = pl.DataFrame({"sensor": pl.Series(names, dtype=pl.String), "time": moments})
    if not expected.equals(table.rows.select(KEY)):
        raise InputError(
            f"{source} no longer holds every step of every sensor, so it is not the forecast that "
            "was written; write it anew"
        )
