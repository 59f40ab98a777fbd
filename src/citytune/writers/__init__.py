"""Bring a forecast out: to a file, a table of a database, or a broker of a standard."""

from citytune.writers import (  # each registers where it writes to
    _csv,  # noqa: F401
    _database,  # noqa: F401
    _excel,  # noqa: F401
    _jsonl,  # noqa: F401
    _ngsi_ld,  # noqa: F401
    _parquet,  # noqa: F401
    _sensorthings,  # noqa: F401
)
from citytune.writers._table import ForecastTable, csv_table, name_for_spreadsheet
from citytune.writers._write import check_target, read, write
from citytune.writers._writer import Choice, Writer, marks, register

__all__ = [
    "Choice",
    "ForecastTable",
    "Writer",
    "check_target",
    "csv_table",
    "marks",
    "name_for_spreadsheet",
    "read",
    "register",
    "write",
]
