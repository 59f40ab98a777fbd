"""What second sources know ahead, on a clock that is known already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from citytune.frame import Clock, Fault
from citytune.readers._source import open_table, source_name
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import bare
from citytune.readers.columns._request import ColumnName, Request
from citytune.readers.values._covariates import Covariates, of_second_source, sort_out


class KnownAhead(NamedTuple):
    """What is known ahead, and where that was read."""

    tables: Covariates
    """name → (time or longer, sensor or 1)"""
    sources: tuple[tuple[str, str], ...] = ()
    """Name and source of each."""
    faults: tuple[Fault, ...] = ()
    """What was found in the sources."""


def of_second_sources(
    sources: Iterable[Any],
    clock: Clock,
    sensors: tuple[str, ...],
    length: int,
    request: Request,
    findings: Findings,
) -> KnownAhead:
    """Every numeric column of some tables, on the clock of the readings; faults are findings."""
    tables, where = Covariates(), list[tuple[str, str]]()
    for source in sources:
        found = of_second_source(
            source, clock, sensors, length, request.marked, request.date_order, findings
        )
        where += [(bare(name), source_name(source)) for name in found]
        tables |= found
    return KnownAhead(tables, tuple(where))


def known_ahead(
    sources: Sequence[Any], clock: Clock, sensors: tuple[str, ...], length: int, **options: Any
) -> KnownAhead:
    """What second sources know ahead, as `read` would have it next to readings.

    Args:
        sources: Paths or tables.
        clock: Of the readings.
        sensors: Those of the readings.
        length: Rows of the readings.
        options: Options of `read`.

    Raises:
        TableError: one of them cannot be used; the message lists every reason.
        InputError: it has nothing in the period of the readings, or is not there.
    """
    findings = Findings("")
    found = of_second_sources(sources, clock, sensors, length, Request(**options), findings)
    tables = {bare(name): table for name, table in found.tables.items()}
    return found._replace(tables=tables, faults=tuple(findings.faults))


def told_apart(
    covariates: Any, rows: pl.DataFrame, name: str
) -> tuple[tuple[ColumnName, ...], tuple[Any, ...]]:
    """The covariates that are columns of a table, and those that are second sources.

    Args:
        covariates: As `read` takes them.
        rows: Some of the table.
        name: What to call it in messages.

    Raises:
        UnknownName: one is neither.
    """
    asked = sort_out(covariates, replace(open_table(rows, Findings(name)), name=name))
    return tuple(ColumnName(bare(column)) for column in asked.columns), asked.sources
