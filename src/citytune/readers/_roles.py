"""Decide which column is the time, which names the sensor, and which holds the readings."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from citytune._errors import InputError, UnknownName
from citytune._text import listed
from citytune.readers._columns import Columns, look
from citytune.readers._findings import Findings
from citytune.readers._request import Names, Request
from citytune.readers._source import SourceTable
from citytune.readers._targets import guess_targets
from citytune.readers._vocabulary import (
    CLOCK_TIME,
    LATITUDE,
    LONGITUDE,
    SENSOR,
    SENSOR_PARTS,
    TIME,
    goes_beside,
    plain_name,
    target_rank,
    tokens,
)


@dataclass(frozen=True)
class Roles:
    """Which columns of a table mean what."""

    time: tuple[str, ...]
    """One column of moments, or the parts of a moment (date, time of the day, …)."""
    targets: tuple[str, ...]
    """One column of readings, or one column for each sensor of a wide table."""
    sensor: tuple[str, ...] = ()
    """Columns that together name the sensor of a row; none in a wide table."""
    covariates: tuple[str, ...] = ()
    """Columns known ahead."""
    places: tuple[str, ...] = ()
    """Latitude and longitude, or nothing."""
    columns: Columns = field(default_factory=Columns)
    """What is known of every column."""


def find_roles(
    table: SourceTable, wanted: Request, covariates: tuple[str, ...], findings: Findings
) -> Roles:
    """The roles of a table's columns: as told, and guessed aloud where not told."""
    for name in (
        *_all(wanted.time),
        *_all(wanted.sensor),
        *_all(wanted.target),
        *covariates,
    ):
        if name not in table.schema:
            raise UnknownName(f"column of {table.name}", name, table.schema.names())
    columns = look(table)
    time = _all(wanted.time) or _guess_time(columns, findings)
    taken = {*time, *_all(wanted.sensor), *_all(wanted.target), *covariates}
    places = _guess_places(columns, taken)
    sensor = _all(wanted.sensor) or _guess_sensor(table, columns, time, taken, findings)
    taken |= {*sensor, *places}
    targets = _told_targets(wanted, columns, sensor, findings) or guess_targets(
        table, columns.numbers(taken), columns.flags, bool(sensor), findings
    )
    _refuse_words(covariates, columns, findings)
    findings.stop_on_errors()
    return Roles(time, targets, sensor, covariates, places if sensor else (), columns)


def _all(names: Names) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def _guess_time(columns: Columns, findings: Findings) -> tuple[str, ...]:
    moments = sorted(columns.times, key=_time_rank)
    if parts := _time_parts(columns, moments):
        findings.note(
            "guessed-time",
            f"the time was read from {listed(list(parts), quoted=True)} together",
            "use time= if this is wrong",
        )
        return parts
    if moments:
        others = f", not {listed(moments[1:], quoted=True)}" if len(moments) > 1 else ""
        findings.note(
            "guessed-time",
            f"the time was read from column {moments[0]!r}{others}",
            "use time= if this is wrong",
        )
        return (moments[0],)
    named = [name for name in columns.kinds if plain_name(name) in TIME]
    if named:
        return (named[0],)  # its cells will be shown as the times that could not be read
    findings.error(
        "no-time",
        f"no column holds times (columns: {listed(list(columns.kinds), 8, quoted=True)})",
        "add a column of timestamps such as 2024-03-31 14:00, or name it with time=",
    )
    return ()


def _time_rank(name: str) -> int:
    plain = plain_name(name)
    if plain in TIME:
        return TIME.index(plain)
    return len(TIME) + (0 if set(tokens(name)) & set(TIME) else 1)


def _time_parts(columns: Columns, moments: list[str]) -> tuple[str, ...]:
    """Date and time of the day in two columns, or year, month, day (and hour) in theirs."""
    plain = {plain_name(name): name for name in columns.kinds}
    if moments and (date := _best_date(columns, moments)):
        beside = [plain[word] for word in CLOCK_TIME if word in plain and plain[word] != date]
        clocks = [name for name in beside if columns.kinds[name] in ("clock", "number")]
        return (date, clocks[0]) if clocks else ()
    if moments or not {"year", "month", "day"} <= plain.keys():
        return ()
    rest = [plain[word] for word in ("hour", "minute") if word in plain]
    return (plain["year"], plain["month"], plain["day"], *rest)


def _best_date(columns: Columns, moments: list[str]) -> str | None:
    return moments[0] if moments[0] in columns.dates else None


def _guess_places(columns: Columns, taken: set[str]) -> tuple[str, ...]:
    plain = {plain_name(name): name for name in columns.numbers(taken)}
    lat = next((plain[word] for word in LATITUDE if word in plain), None)
    lon = next((plain[word] for word in LONGITUDE if word in plain), None)
    return (lat, lon) if lat and lon else ()


def _guess_sensor(
    table: SourceTable, columns: Columns, time: tuple[str, ...], taken: set[str], findings: Findings
) -> tuple[str, ...]:
    """A column that names the sensor of each row, by its name or because times repeat."""
    free = [name for name in columns.names_of_things if name not in taken]
    if not free or not time:
        return ()
    exact = [name for name in free if plain_name(name) in SENSOR]
    exact.sort(key=lambda name: SENSOR.index(plain_name(name)))
    likely = [name for name in free if name not in exact and _sounds_like_a_sensor(name, columns)]
    found = _first_repeating(table, [*exact, *likely], time) or _by_structure(
        table, [name for name in columns.texts if name in free], time
    )
    if not found:
        return ()
    findings.note(
        "guessed-sensor",
        f"the sensor names were read from column {found!r}",
        "use sensor= if this is wrong",
    )
    return (found,)


def _sounds_like_a_sensor(name: str, columns: Columns) -> bool:
    words = tokens(name)
    if columns.kinds[name] == "number" and words[-1] not in ("id", "no", "nr", "number", "code"):
        return False  # a wide table's sensor may be called "Central Station", and hold counts
    measures = goes_beside(name) or target_rank(words[-1]) is not None
    return bool(SENSOR_PARTS.intersection(words)) and not measures


def _first_repeating(table: SourceTable, names: list[str], time: tuple[str, ...]) -> str | None:
    """The first of some columns that repeats as sensors do: one name, many rows."""
    if not names:
        return None
    total = pl.len().alias("_rows")
    query = table.rows.select(total, *(pl.col(name).n_unique() for name in names))
    counts = query.collect(engine="streaming").row(0, named=True)
    rows = counts["_rows"]
    for name in names:
        if counts[name] == 1 or counts[name] <= rows / 3:
            return name
        if counts[name] <= rows / 1.5 and _moments(table, time) < rows:
            return name
    return None


def _moments(table: SourceTable, time: tuple[str, ...]) -> int:
    """How many different moments a table has."""
    column = pl.col(time[0]) if len(time) == 1 else pl.struct(time)
    return int(table.rows.select(column.n_unique()).collect(engine="streaming").item())


def _by_structure(table: SourceTable, names: list[str], time: tuple[str, ...]) -> str | None:
    """A text column that tells apart the rows of one moment."""
    if not names:
        return None
    rows, times, *pairs = (
        table.rows.select(
            pl.len().alias("_rows"),
            pl.struct(time).n_unique().alias("_times"),
            *(pl.struct(*time, name).n_unique().alias(name) for name in names),
        )
        .collect(engine="streaming")
        .row(0)
    )
    if times > rows / 1.5:
        return None
    apart = {name: pair for name, pair in zip(names, pairs, strict=True) if pair >= 0.98 * rows}
    return next(iter(apart), None)


def _refuse_words(covariates: tuple[str, ...], columns: Columns, findings: Findings) -> None:
    for name in covariates:
        if columns.kinds[name] not in ("number", "bool", "empty"):
            findings.error(
                "text-covariate",
                f"covariate {name!r} does not hold numbers{columns.example(name)}",
                "write it as numbers (for example 0 and 1 for no and yes), or leave it out",
            )


def _told_targets(
    wanted: Request, columns: Columns, sensor: tuple[str, ...], findings: Findings
) -> tuple[str, ...]:
    targets = _all(wanted.target)
    if len(set(targets)) < len(targets):
        raise InputError(f"target names a column twice: {listed(list(targets), quoted=True)}")
    if sensor and len(targets) > 1:
        raise InputError(
            f"column {sensor[0]!r} names the sensors, so there can be one target, not "
            f"{len(targets)} ({listed(list(targets), quoted=True)}); read them one by one"
        )
    for name in targets:
        if columns.kinds[name] not in ("number", "empty"):
            findings.error(
                "no-numeric-target",
                f"column {name!r} was named as target but does not hold numbers"
                f"{columns.example(name)}",
                "name a column of readings with target=",
            )
    return targets
