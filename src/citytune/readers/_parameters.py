"""A column that says what each row measures: a frame holds one quantity, so one value is taken."""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers._columns import Columns
from citytune.readers._findings import Findings
from citytune.readers._table import SourceTable
from citytune.readers._units import UNIT_COLUMNS, are_units, unit_of
from citytune.readers._vocabulary import (
    FLOWS,
    PARAMETER,
    TARIFFS,
    is_quantity,
    plain_name,
    target_rank,
    tokens,
)

MOST_VALUES = 60
_DIRECTION = re.compile(r"[+-][APQR]|[APQR][+-]")
"""What a meter counts: active or reactive energy, drawn from the grid or fed into it."""
_SURE = frozenset(
    ["pollutant", "parameter", "polluant", "contaminant", "contaminante", "inquinante", "magnitud",
     "schadstoff", "komponente", "parametro", "parametre", "classification"]
)  # fmt: skip
"""Words that say so in any name."""


_TOTAL = frozenset(["any", "all", "total", "totaal", "totale", "gesamt", "alle", "tous", "todos"])
"""Words of the cell that means all the others together."""


class Parameter(NamedTuple):
    """One quantity of a column of quantities."""

    column: str
    values: tuple[object, ...]
    """Cells that mean it; several are registers that count at other times of the day each."""

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
        and (_named(name) or (column.kind == "text" and _holds_quantities(column.cells)))
    ]
    units = [
        name
        for name, column in columns.by_name.items()
        if name not in taken and column.kind == "text" and plain_name(name) in UNIT_COLUMNS
        and len({unit_of(str(cell)) or cell for cell in column.cells}) > 1
        and are_units(map(str, column.cells))
    ]  # fmt: skip
    return [*found, *(name for name in units if name not in found)]


def choose_parameter(
    table: SourceTable, names: list[str], wanted: tuple[str, ...], findings: Findings
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
        told = [v for v in values if wanted and len(wanted) == 1 and _same(v, wanted[0])]
        told.sort(key=lambda v: _spelt(v) != wanted[0])
        if told:
            return Parameter(name, (told[0],)), ()
        chosen = min(values, key=lambda v: (_rank(v), not _is_total(v), values.index(v)))
        together = tuple(v for v in values if _without_tariff(v) == _without_tariff(chosen))
        rest = [_spelt(value) for value in values if value not in together]
        found = Parameter(name, together)
        if len(together) > 1:
            findings.note(
                "tariffs",
                f"{listed([str(v) for v in together], quoted=True)} of column {name!r} were read "
                "as one: registers that count at different times of the day",
                f"pass target={str(together[0])!r} for one of them",
            )
        if rest:
            findings.warn(
                "several-quantities",
                f"column {name!r} holds {len(values)} quantities; {found.name!r} was read, not "
                f"{listed(rest, quoted=True)}",
                f"pass target={rest[0]!r} for another one",
                count=len(values),
            )
        return found, wanted
    return None, wanted


def refuse_mixture(table: SourceTable, sensor: tuple[str, ...], columns: Columns) -> None:
    """Raise `InputError` if what should name the sensors says what is measured."""
    for name in sensor:
        column = columns.by_name[name]
        several = 1 < len(column.cells) <= MOST_VALUES
        if several and (
            _named(name) or (column.kind == "text" and _holds_quantities(column.cells))
        ):
            values = [str(value) for value in column.cells.to_list()]
            raise InputError(
                f"{table.name}: column {name!r} says what is measured "
                f"({listed(values, quoted=True)}), and a frame holds one quantity; "
                f"leave it out of sensor= and pass target={values[0]!r} "
                "for one of them"
            )


def unit_column(view: SourceTable, columns: Columns) -> str:
    """The one unit that a column of units holds for what is read; nothing if there are several."""
    named = [n for n, kind in columns.kinds.items()
             if kind == "text" and plain_name(n) in UNIT_COLUMNS
             and are_units(map(str, columns.by_name[n].cells))]  # fmt: skip
    if not named:
        return ""
    found = view.rows.select(pl.col(named[0]).drop_nulls().unique()).collect(engine="streaming")
    units = {unit_of(str(cell)) or str(cell) for cell in found.to_series()}
    return units.pop() if len(units) == 1 else ""


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
    if _DIRECTION.fullmatch(str(value)):
        return 2 * bool({*"QR"} & {*str(value)}) + ("-" in str(value))
    rank = target_rank(str(value)) if is_quantity(str(value)) else None
    return 999 if rank is None else rank
