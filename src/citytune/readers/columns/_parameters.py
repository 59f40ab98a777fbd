"""A column that says what each row measures: a frame holds one quantity, so one value is taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import scale_of, unit_of
from citytune.readers.cells._vocabulary import (
    FED_IN,
    FLOWS,
    PARAMETER,
    PLACES,
    TARGETS,
    TARIFFS,
    family,
    goes_beside,
    is_quantity,
    plain_name,
    target_rank,
    tokens,
)
from citytune.readers.columns._classes import refuse_class_rows
from citytune.readers.columns._measures import ALL, MEANS, STATISTICS, describes
from citytune.readers.columns._unit_columns import unit_columns, units_of

MOST_VALUES = 60
_DIRECTION = re.compile(r"[+-][APQR]|[APQR][+-]|[AR][IE]")
"""What a meter counts: active or reactive energy, drawn from the grid or fed into it (I, E)."""
_SURE = frozenset(
    ["pollutant", "parameter", "polluant", "contaminant", "contaminante", "poluente", "inquinante",
     "magnitud",
     "schadstoff", "komponente", "parametro", "parametre", "classification"]
)  # fmt: skip
"""Words that say so in any name."""
_LOOSE = frozenset(["metric", "series", "field", "_field", "variable", "item", "items", "measure",
                    "indicator"])  # fmt: skip
"""Names of columns that say what is measured, or name the sensors of one quantity."""
_MEASURES = frozenset(
    ["temperature", "temp", "humidity", "voltage", "current", "power", "energy", "pressure", "co2",
     "pm25", "pm10", "no2", "o3", "illuminance", "noise", "frequency", "speed", "flow", "occupancy"]
)  # fmt: skip
"""Words by which a sensor's name says what it measures."""
_FINAL = frozenset(["final", "actual", "real", "measured", "observed", "validated", "ratified",
                    "revised", "settled", "verified", "corrected", "ist", "ratifie"])  # fmt: skip
_VERSIONS = _FINAL | {"preliminary", "provisional", "forecast", "estimated", "initial", "raw",
                      "planned", "predicted", "unverified", "prelim", "prognose", "day_ahead",
                      "dayahead", "intraday", "scheduled"}  # fmt: skip
"""Words of stages of one value."""
CELLS_A_MOMENT_OF_VERSIONS = 1.5
"""Cells of a column at a moment from which it tells versions of the readings apart."""
_TOTAL = ALL | {"any"}
"""Words of the cell that means all the others together."""


class Parameter(NamedTuple):
    """One quantity of a column of quantities."""

    column: str
    values: tuple[object, ...]
    """Cells that mean it; several are registers that count at other times of the day each."""
    stage: bool = False
    """Whether the cells are stages of one value, which say nothing of what it is."""
    sensors: bool = False
    """Whether the cells name sensors too, or units of one kind, so that rows stay apart by them."""

    @property
    def said(self) -> str:
        """The cells, for a message."""
        return listed([_spelt(value) for value in self.values], 4, quoted=True)

    @property
    def name(self) -> str:
        """What it is called."""
        return " + ".join(map(_spelt, self.values))

    def rows_of(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows that measure it."""
        return rows.filter(pl.col(self.column).is_in(list(self.values)))


def parameter_columns(columns: Columns, taken: set[str]) -> list[str]:
    """Columns that say what is measured: by name, or as most of their cells are quantities."""
    found = [
        name
        for name, column in columns.by_name.items()
        if name not in taken
        and column.kind in ("text", "number")
        and 1 < len(column.cells) <= MOST_VALUES
        and _says_what(column)
    ]
    units = [
        name
        for name in unit_columns(columns)
        if name not in taken and len({scale_of(one) for one in units_of(columns, name)}) > 1
    ]
    return [*found, *(name for name in units if name not in found)]


def _says_what(column: Column) -> bool:
    """Whether a column says what its rows measure, or how it was computed."""
    if _named(column.name):
        return column.kind == "number" or not _are_series(column)
    return column.kind == "text" and (
        _holds_quantities(column.cells)
        or _holds_versions(column.cells)
        or _holds_kinds(column)
        or describes(column.cells)
    )


def _are_series(column: Column) -> bool:
    """Whether what is called a metric or a field are sensors of one quantity: Pump 1, Pump 2."""
    plain, cells = plain_name(column.name), [str(cell) for cell in column.cells]
    if plain not in _LOOSE or _holds_quantities(column.cells):
        return False
    kinds, families = {_measure(cell) for cell in cells}, {family(cell) for cell in cells}
    if len(kinds) > 1 or all(map(goes_beside, cells)):
        return False
    return kinds != {None} or len(families) == 1 or plain in ("metric", "series")


def _holds_kinds(column: Column) -> bool:
    """Whether each of several sensors says what it measures, and they differ."""
    kinds = {_measure(str(cell)) for cell in column.cells}
    return len(kinds) > 1 and None not in kinds


def _measure(cell: str) -> str | None:
    """The last word of a sensor's name that says what it measures.

    >>> _measure("sensor.heat_pump_power"), _measure("Power Street")
    ('power', None)
    """
    words = tokens(cell)
    if {*words} & PLACES:
        return None
    return next((word for word in reversed(words) if word in _MEASURES), None)


def _holds_versions(cells: pl.Series) -> bool:
    """Whether cells say how often or by what a value was computed: mean and max, final and not."""
    words = [plain_name(str(cell)) for cell in cells]
    return all(w in STATISTICS | MEANS for w in words) or all(w in _VERSIONS for w in words)


def _crosses(table: SourceTable, name: str, time: Sequence[str]) -> bool:
    """Whether most moments have rows of several cells of a column."""
    if not time or not {*time} <= {*table.schema}:
        return True
    each = table.rows.group_by(*time).agg(pl.col(name).n_unique())
    mean = each.select(pl.col(name).mean()).collect(engine="streaming").item()
    return float(mean or 0) > CELLS_A_MOMENT_OF_VERSIONS


def choose_parameter(
    table: SourceTable,
    names: list[str],
    wanted: tuple[str, ...],
    time: Sequence[str],
    findings: Findings,
) -> tuple[Parameter | None, tuple[str, ...]]:
    """The quantity that is read, and what is left of the wish for a target.

    A wish may name a value of the column, such as "no2". Otherwise it is the one that the
    vocabulary ranks first, or the most common one.
    """
    for name in names:
        counts = (
            table.rows.group_by(name).len().sort("len", descending=True).collect(engine="streaming")
        ).drop_nulls()
        values = counts[name].to_list()
        if len(values) < 2:
            continue
        said = counts[name].cast(pl.String)
        stages = _holds_versions(said)
        loose = not (_named(name) or _holds_quantities(said)) and describes(said)
        if (stages or loose) and not _crosses(table, name, time):
            continue
        told = [v for v in values if wanted and len(wanted) == 1 and _same(v, wanted[0])]
        told.sort(key=lambda v: _spelt(v) != wanted[0])
        if told:
            return Parameter(name, (told[0],)), ()
        refuse_class_rows(name, [_spelt(value) for value in values], findings)
        chosen = min(values, key=lambda v: (_rank(v), not _is_total(v), values.index(v)))
        kinds = [_kind(value, values) for value in values]
        kind = _kind(chosen, values)
        together = tuple(v for v, one in zip(values, kinds, strict=True) if one == kind)
        rest = [_spelt(value) for value in values if value not in together]
        tariffs = len({_without_tariff(value) for value in together}) == 1
        found = Parameter(name, together, stages, sensors=not tariffs)
        if len(together) > 1 and tariffs:
            findings.note(
                "tariffs",
                f"{listed([str(v) for v in together], quoted=True)} of column {name!r} were read "
                "as one: registers that count at different times of the day",
                f"pass target={str(together[0])!r} for one of them",
            )
        if rest:
            findings.warn(
                "several-quantities",
                f"column {name!r} holds {len({*kinds})} quantities; {found.said} was read, not "
                f"{listed(rest, quoted=True)}",
                f"pass target={rest[0]!r} for another one",
                count=len({*kinds}),
            )
        return found, wanted
    return None, wanted


def refuse_mixture(table: SourceTable, sensor: tuple[str, ...], columns: Columns) -> None:
    """Raise `InputError` if what should name the sensors says what is measured."""
    for name in sensor:
        column = columns.by_name[name]
        several = 1 < len(column.cells) <= MOST_VALUES
        if several and (
            (_named(name) and not _are_series(column))
            or (column.kind == "text" and _holds_quantities(column.cells))
        ):
            values = [str(value) for value in column.cells.to_list()]
            raise InputError(
                f"{table.name}: column {name!r} says what is measured "
                f"({listed(values, quoted=True)}), and a frame holds one quantity; "
                f"leave it out of sensor= and pass target={values[0]!r} "
                "for one of them"
            )


def _kind(value: object, values: Sequence[object]) -> str:
    """What a cell has in common with those that are read together with it."""
    kinds = [_measure(str(one)) for one in values]
    if None not in kinds and not any(is_quantity(str(one)) for one in values):
        return _measure(str(value)) or ""
    if all(unit_of(str(one)) for one in values):
        return scale_of(unit_of(str(value)) or "")
    return _without_tariff(value)


def _spelt(value: object) -> str:
    """A cell as it was written: codes that are numbers have no decimals."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _named(name: str) -> bool:
    return plain_name(name) in PARAMETER or bool(set(tokens(name)) & _SURE)


def _without_tariff(value: object) -> str:
    """A register's name without what says at which times it counts; itself if that is all.

    >>> _without_tariff("Afname Dag"), _without_tariff("NO2"), _without_tariff("kWh T1")
    ('afname', 'no2', 'kwh')
    """
    words = tokens(str(value))
    if _DIRECTION.fullmatch(str(value)):
        return str(value)
    flow = [word for word in words if word not in TARIFFS]
    return "_".join(flow or words)


def _holds_quantities(cells: pl.Series) -> bool:
    if all(_DIRECTION.fullmatch(str(cell)) for cell in cells):
        return True
    known = sum(is_quantity(str(cell)) or bool(set(tokens(str(cell))) & FLOWS) for cell in cells)
    return known >= max(2, 0.5 * len(cells))


def _same(value: object, wanted: str) -> bool:
    return _spelt(value) == wanted or plain_name(str(value)) == plain_name(wanted)


def _is_total(value: object) -> bool:
    return bool({*tokens(str(value))} & _TOTAL)


def _rank(value: object) -> int:
    if plain_name(str(value)) in MEANS | _FINAL:
        return -1
    if _DIRECTION.fullmatch(str(value)):
        return 2 * bool({*"QR"} & {*str(value)}) + bool({*"-E"} & {*str(value)})
    measure = _measure(str(value)) or ""
    rank = target_rank(str(value)) if is_quantity(str(value)) else TARGETS.get(measure)
    return 999 + bool({*tokens(str(value))} & FED_IN) if rank is None else rank
