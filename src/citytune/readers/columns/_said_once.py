"""What a column tells of the readings that says the same in every row: their quantity."""

from __future__ import annotations

from collections.abc import Sequence

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._units import unit_in
from citytune.readers.cells._vocabulary import (
    GENERIC,
    PARAMETER,
    is_quantity,
    plain_name,
    target_rank,
    tokens,
)

SURE = frozenset(["no2", "pm10", "pm25", "pm1", "o3", "so2", "nox", "co2"])
"""Formulas that are no parts of names of places."""
MOST_SENSORS = 5_000


def quantity_said(columns: Columns, target: str) -> str:
    """What all rows measure, where the column of readings is called a value; else nothing."""
    words = {*tokens(target)}
    if not words & {*GENERIC} or (is_quantity(target) and target_rank(target) is not None):
        return ""
    return next((cell for one in columns.by_name.values() if (cell := _said(one))), "")


def _said(column: Column) -> str:
    """A known quantity, or one with a unit, that a column names in every row."""
    named = plain_name(column.name) in PARAMETER or tokens(column.name)[-1] == "type"
    named = named or column.name.endswith("__name__")  # of a metric of Prometheus
    if not (named and column.constant and column.kind == "text"):
        return ""
    cell = str(column.cells[0])
    return cell if is_quantity(cell) or unit_in(cell) else ""


def said_by_sensors(sensors: Sequence[str]) -> str:
    """The pollutant and the unit that the names of all sensors say; nothing where they differ.

    >>> said_by_sensors(["NO2 north", "NO2 south"]), said_by_sensors(["Pump1_kW", "Pump2_kW"])
    ('no2', '[kW]')
    >>> said_by_sensors(["north", "NO2 south"])
    ''
    """
    if not sensors or len(sensors) > MOST_SENSORS:
        return ""
    shared = set.intersection(*({*tokens(name)} for name in sensors)) & SURE
    units = {unit_in(name) or "" for name in sensors}
    unit = units.pop() if len(units) == 1 else ""
    said = [*shared] if len(shared) == 1 else []
    return " ".join(said + ([f"[{unit}]"] if len(unit) > 1 else []))
