"""Find the columns that name the sensor of each row: what tells the rows of a moment apart."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._structure import (
    MOST_CONTRADICTING,
    Moment,
    called_a_sensor,
    find_keys,
    name_rank,
    nearly,
    numbers_one_station,
)
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import SENSOR_PARTS, goes_beside, target_rank, tokens
from citytune.readers.columns._interleaved import with_further
from citytune.readers.columns._parameters import Parameter


def guess_sensor(
    table: SourceTable,
    seconds: pl.Expr,
    columns: Columns,
    some: Moment,
    taken: set[str],
    targets: tuple[str, ...],
    parameter: Parameter | None,
    places: tuple[str, ...],
    findings: Findings,
) -> tuple[str, ...]:
    """What tells the rows of a moment apart; else a column that is called like a sensor's name."""
    if len(targets) > 1:
        return ()

    def measures(name: str) -> bool:
        column = columns.by_name[name]
        if column.kind == "text" or set(tokens(name)) & SENSOR_PARTS:
            return False
        return target_rank(name) is not None or goes_beside(name)

    keys = find_keys(some, columns, taken, measures)
    if keys is None and places and some.contradicting(places) <= MOST_CONTRADICTING:
        keys = places
    if keys is None:
        tried = "; ".join(
            f"sensor={list(names) if len(names) > 1 else names[0]!r} leaves {100 * share:.0f} %"
            for names, share in nearly(some, columns, taken, measures)
        )
        several = parameter.values if parameter is not None else ()
        one = f"pass target={str(several[0])!r} for one of them, " if several[1:] else ""
        findings.error(
            "contradicting-rows",
            f"{100 * some.contradicting(()):.0f} % of the rows have the time of another row and "
            f"other readings, and no columns tell them apart{f' ({tried})' if tried else ''}",
            f"{one}name the columns that do (station, direction, lane) with sensor=, or count or "
            "average the rows first"
            if tried
            else f"{one}add a column that names what each row measures (station, register), or "
            "count or average the rows first",
        )
        findings.stop_on_errors()
        return ()
    keys = keys or _called_a_sensor(table, columns, taken, measures)
    keys = with_further(table, seconds, some, columns, taken, keys)
    if keys:
        findings.note(
            "guessed-sensor",
            f"the sensor names were read from {listed(list(keys), quoted=True)}",
            "use sensor= if this is wrong, or target= if each column is a sensor",
        )
    return keys


def refuse_contradictions(
    table: SourceTable,
    sensor: tuple[str, ...],
    some: Moment,
    columns: Columns,
    taken: set[str],
) -> None:
    """Raise `InputError` if the named sensor's rows contradict each other, with what would do."""
    if not sensor or (share := some.contradicting(sensor)) <= MOST_CONTRADICTING:
        return
    further = find_keys(some, columns, taken - set(sensor), lambda _: False)
    hint = f"sensor={list(further)} would tell them apart" if further else "name further columns"
    raise InputError(
        f"{table.name}: {100 * share:.0f} % of the rows have the time and the sensor "
        f"({listed(list(sensor), quoted=True)}) of another row and other readings; {hint}"
    )


def _called_a_sensor(
    table: SourceTable, columns: Columns, taken: set[str], measures: Callable[[str], bool]
) -> tuple[str, ...]:
    """A column whose name says sensor and whose cells repeat, where no rows share a moment."""
    able = [
        name
        for name, column in columns.by_name.items()
        if name not in taken
        and column.kind in ("text", "number")
        and (column.kind == "text" or (column.whole and not measures(name)))
        and (called_a_sensor(column) or numbers_one_station(column))
        and not column.counter
    ]
    able.sort(key=lambda name: name_rank(name, columns))
    if not able:
        return ()
    counts = (
        table.rows.select(pl.len().alias("_rows"), *(pl.col(name).n_unique() for name in able))
        .collect(engine="streaming")
        .row(0, named=True)
    )
    return next(((n,) for n in able if counts[n] == 1 or counts[n] <= counts["_rows"] / 3), ())
