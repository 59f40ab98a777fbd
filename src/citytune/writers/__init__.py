"""Bring a forecast out: to a file, a table of a database, or a broker of a standard."""

from citytune._registry import import_all
from citytune.writers._table import ForecastTable, csv_table, name_for_spreadsheet
from citytune.writers._write import check_target, read, write
from citytune.writers._writer import Choice, Writer, marks, register

import_all(__name__)  # each registers where it writes to

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
