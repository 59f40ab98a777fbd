"""See which columns of a folder of Parquet are the time, the sensor and the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from citytune._errors import InputError
from citytune.readers import (
    SENSOR_WORDS,
    BadFile,
    Columns,
    Partition,
    explain,
    key_of_sensors,
    spelt,
    told_apart,
)
from citytune.runs._reading import Reading

LOOKED_AT = 3
"""Files from which it is seen what the columns are."""


class Seen(NamedTuple):
    """What is read of a folder of Parquet."""

    columns: Columns
    reading: Reading
    """With these columns; known ahead are columns alone."""
    second: tuple[Any, ...]
    """Sources besides the folder of what is known ahead."""


def columns_of(files: Sequence[Partition], reading: Reading, name: str) -> Seen:
    """Which columns are the time, the sensor and the readings: said, or seen in the first files."""
    rows = _first_rows(files, name)
    ahead, second = told_apart(reading.covariates, rows, name)
    said = replace(reading, covariates=ahead)
    key = key_of_sensors(files[0], SENSOR_WORDS)
    if key and not said.sensor:
        said = replace(said, sensor=key)
    roles: dict[str, list[str]] = {}
    why = ""
    for one in explain(rows, **said.said()).columns:
        roles.setdefault(one.role, []).append(one.name)
    for role, what in (("time", "times"), ("sensor", "names of sensors"), ("reading", "readings")):
        if len(roles.get(role, ())) != 1:
            found = ", ".join(map(repr, roles.get(role, ()))) or "none"
            why = why or f"one column of {what} is needed, and these are taken for it: {found}"
    if why:
        raise InputError(
            f"{name} cannot be read by groups of sensors: {why}; say which with time=, sensor= "
            "and target=, of a table with a row for each sensor and time"
        )
    others = (*(reading.valid or ()), *roles.get("parameter", ()))
    (time,), (sensor,), (target,) = (roles[role] for role in ("time", "sensor", "reading"))
    asked = replace(said, time=time, sensor=sensor, target=target)
    return Seen(Columns(time, sensor, target, others, tuple(map(str, ahead))), asked, second)


def _first_rows(files: Sequence[Partition], name: str) -> pl.DataFrame:
    """Of the first files that can be read and are alike; one that differs from them is no model."""
    alike: dict[str, list[pl.DataFrame]] = {}
    bad: dict[str, str] = {}
    for file in files:
        try:
            table = file.rows()
        except BadFile as error:
            bad[file.path] = str(error)
            continue
        if len(table):
            alike.setdefault(str(table.schema), []).append(table)
        if any(len(tables) == LOOKED_AT for tables in alike.values()):
            break
    if not alike:
        raise InputError(f"{name} has no file that can be used: {spelt(bad) or 'all are empty'}")
    usual = max(alike.values(), key=lambda tables: (len(tables), tables[0].width))
    return pl.concat(usual)
