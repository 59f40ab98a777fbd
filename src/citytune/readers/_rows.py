"""A file or table as plain rows: for those who look for other things in it than readings."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from citytune._errors import UnknownName
from citytune.readers._source import open_table, source_name
from citytune.readers.cells._columns import look_at
from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import cells, writes_commas
from citytune.readers.cells._table import SourceTable, bare, guarded
from citytune.readers.containers._files import first_bytes, is_address
from citytune.readers.times._times import check_timezone, plan_moments

TEXTS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Rows:
    """A table with columns of plain types."""

    table: pl.DataFrame
    name: str
    """As the person called it, for messages."""
    moments: tuple[str, ...]
    """Columns that hold times."""
    _source: SourceTable
    _findings: Findings

    def column(self, name: str) -> pl.Series:
        """One column; the near name is suggested for one that is not there."""
        if name not in self.table.columns:
            raise UnknownName(f"column of {self.name}", name, self.table.columns)
        return self.table[name]

    def numbers(self, name: str) -> tuple[pl.Series, pl.Series]:
        """A column as numbers, null where a cell is none; and which cells are words."""
        series = self.column(name)
        if series.dtype != pl.String:
            found = series.cast(pl.Float64, strict=False)
            return found, series.is_not_null() & found.is_null()
        own = guarded(name)
        both = cells(own, own in self._source.commas)
        pair = series.alias(own).to_frame().select(number=both.number, wrong=both.wrong)
        return pair["number"], pair["wrong"].fill_null(value=False)

    def times(self, name: str, timezone: str | None = None) -> tuple[pl.Series, str | None]:
        """Moments of a column, null where a cell is no time.

        Returns:
            In UTC with their zone; or, of times without an offset, as they are written and None.
        """
        self.column(name)
        if timezone is not None:
            check_timezone(timezone)
        plan = plan_moments(self._source, (guarded(name),), timezone, self._findings)
        moments = pl.from_epoch(plan.seconds, "s").dt.cast_time_unit("us")
        series = self._source.rows.select(moments).collect().to_series()
        if plan.aware:
            return series, timezone or plan.zone or "UTC"
        if timezone is None:
            return series, None
        return in_utc(series, timezone), timezone


def in_utc(wall: pl.Series, timezone: str) -> pl.Series:
    """Moments on the wall of a zone as those of UTC; null where its clock skips them.

    Raises:
        UnknownName: there is no such zone.
    """
    check_timezone(timezone)
    local = wall.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def rows_of(source: Any) -> Rows:
    """The rows of a file of any kind that `read` takes, or of anyone's table.

    The first line of a CSV file names its columns: of a table of words, nothing else would tell.

    Raises:
        InputError: it cannot be read, or holds no rows.
    """
    findings = Findings(source_name(source))
    is_path = isinstance(source, str | os.PathLike) and not is_address(source)
    text = is_path and Path(source).suffix.lower() in TEXTS
    found = _of_text(Path(source), findings) if text else open_table(source, findings)
    with damage_told(findings):
        table = found.rows.collect()
    kept = found.with_rows(table.lazy())
    plain = [name for name, kind in table.schema.items() if kind == pl.String or kind.is_temporal()]
    moments = tuple(bare(name) for name in plain if look_at(kept, name).kind == "moment")
    return Rows(table.rename(bare), findings.source, moments, kept, findings)


def _of_text(path: Path, findings: Findings) -> SourceTable:
    first_bytes(path)  # says why if it is not there
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = decoded(data)
    head = text.partition("\n")[0]
    separator = max("\t;|,", key=head.count)
    with damage_told(findings):
        table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False)
    if not len(table):
        findings.fail("header-only", "there are column names but no rows", "check the export")
    usual = separator != ","
    table = table.rename(guarded)
    commas = {one.name for one in table if writes_commas(one.drop_nulls().unique(), usual=usual)}
    return SourceTable(table.lazy(), table.schema, str(path), path.stem, frozenset(commas))
